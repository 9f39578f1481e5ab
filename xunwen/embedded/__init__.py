"""The whole system on one machine, started by one command.

`launcher.up` starts two Redis-protocol servers, a Milvus server, the four services and one
Celery worker under supervisord, waits until all are ready and indexes the sample literature
on the first start. Every part is the real thing; only addresses differ from a cluster.

The home directory (XUNWEN_HOME, `var/` by default) holds all of it:

    milvus/ state/ cache/ jobs/   data, kept over restarts
    logs/                         one rotated log per part
    run/                          what the running system needs: config, socket, ports
    sample.json                   the job that indexed the sample literature
"""
