"""Types by which the search routes get the resources of the lifespan."""

from typing import Annotated

from fastapi import Depends

from services.common.server.resources import opened
from services.gateway.access.caller import Caller
from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.answers import Answers, Asker
from services.gateway.search.field_names import FieldNames
from services.gateway.search.hot.queries import HotQueries
from services.gateway.settings import GatewaySettings


async def _asker(caller: Caller) -> Asker:
    return Asker(tenant=caller.tenant, key=caller.id)


SettingsDep = Annotated[GatewaySettings, opened("settings")]
AskerDep = Annotated[Asker, Depends(_asker)]
AnswersDep = Annotated[Answers, opened("answers")]
AdmissionDep = Annotated[AdmissionControl, opened("admission")]
FieldNamesDep = Annotated[FieldNames, opened("field_names")]
HotQueriesDep = Annotated[HotQueries, opened("hot")]
