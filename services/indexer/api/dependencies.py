"""Types by which the routes get the resources of the lifespan."""

from typing import Annotated

from services.common.server.resources import opened
from services.indexer.index.collections.collections import Collections
from services.indexer.index.gate.golden import GoldenSets
from services.indexer.index.rebuild import Rebuilds
from services.indexer.index.statistics import StatisticsBook
from services.indexer.index.writer import IndexWriter
from services.indexer.jobs.acceptance import JobAcceptance
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.named_sources import NamedSources
from services.indexer.jobs.workers import PartLeases
from services.indexer.originals import Originals
from services.indexer.query_rules import QueryRulesStore
from services.indexer.singles import SingleDocuments

AcceptanceDep = Annotated[JobAcceptance, opened("acceptance")]
BookDep = Annotated[JobBook, opened("book")]
CollectionsDep = Annotated[Collections, opened("collections")]
GoldenDep = Annotated[GoldenSets, opened("golden")]
OriginalsDep = Annotated[Originals, opened("originals")]
PartLeasesDep = Annotated[PartLeases, opened("leases")]
QueryRulesDep = Annotated[QueryRulesStore, opened("query_rules")]
RebuildsDep = Annotated[Rebuilds, opened("rebuilds")]
SinglesDep = Annotated[SingleDocuments, opened("singles")]
NamedSourcesDep = Annotated[NamedSources, opened("named_sources")]
StatisticsDep = Annotated[StatisticsBook, opened("statistics")]
WriterDep = Annotated[IndexWriter, opened("writer")]
