/* limits: every bound that a stranger can run into, in one place, unit last in the name. A limit
 * that the configuration may lower or raise says so. */
#pragma once

enum {
    /* HTTP */
    HTTP_HEAD_BYTES_MAX = 32 << 10, /* request or status line and all fields */
    HTTP_TARGET_BYTES_MAX = 8 << 10,
    HTTP_FIELDS_MAX = 100,
    HTTP_CHUNK_LINE_BYTES_MAX = 256,
    HTTP_BODY_BYTES_MAX = 4 << 20,    /* of a request, config: limits.request_bytes */
    HTTP_ANSWER_BYTES_MAX = 16 << 20, /* of one upstream message, config: limits.answer_bytes */
    SSE_EVENT_BYTES_MAX = 16 << 20,

    /* waits, milliseconds */
    HEAD_WAIT_MS_MAX = 10 * 1000,
    BODY_WAIT_MS_MAX = 30 * 1000,
    IDLE_WAIT_MS_MAX = 120 * 1000,
    CONNECT_WAIT_MS_MAX = 5 * 1000,
    ANSWER_WAIT_MS_MAX = 60 * 1000, /* config: limits.answer_wait */
    CORE_WAIT_MS_MAX = 10 * 1000,
    DRAIN_WAIT_MS_MAX = 10 * 1000,

    /* connections and memory per connection */
    CONNS_MAX = 4096,                /* config: limits.connections */
    CONN_OUT_BYTES_HIGH = 256 << 10, /* stop reading the source above this */
    CONN_OUT_BYTES_LOW = 64 << 10,
    CONN_IN_BYTES_HIGH = 64 << 10,

    /* JSON from strangers */
    JSON_DEPTH_MAX = 64,
    JSON_VALUES_MAX = 200000,

    /* MCP */
    MCP_TOOL_NAME_BYTES_MAX = 48, /* as agents see it, prefix included */
    MCP_TOOLS_MAX = 1000,         /* per binding */
    MCP_DEFINITION_BYTES_MAX = 64 << 10,
    STDIO_LINE_BYTES_MAX = 16 << 20,

    /* tasks */
    TASK_DEPTH_MAX = 8, /* ancestors of a task */
    TASK_CHILDREN_MAX = 32,
    TASK_OPERATIONS_MAX = 256,
    TASK_PURPOSE_BYTES_MAX = 1000,
    TASK_TOKEN_MS_MAX = 300 * 1000,
    TASK_TOKEN_HIGH_MS_MAX = 60 * 1000, /* of one that opens high-impact operations */
    TXN_TOKEN_MS_MAX = 120 * 1000,
    TASK_LIFE_MS_MAX = 7 * 24 * 3600 * 1000,
    HOLD_LIFE_MS = 15 * 60 * 1000,
    HOLDS_PER_TASK_MAX = 64,
    REDEEM_WAIT_MS = 60 * 1000,   /* config: limits.redeemWait */
    SHARED_WINDOW_MS = 60 * 1000, /* config: limits.sharedWindow */
    TASK_REQUESTS_MAX = 8,        /* of one agent, waiting for its owner */

    /* channels between roles */
    IPC_FRAME_BYTES_MAX = 24 << 20,
    IPC_QUEUE_BYTES_MAX = 64 << 20,
    CONTROL_LINE_BYTES_MAX = 256 << 10,

    VOUCHER_LIFE_MS =
        30 * 1000, /* the longest a checker accepts: a stdio child may have to start first */
    VOUCHER_EDGE_LIFE_MS = 5 * 1000, /* of one for a single request's credential, used at once */
    SECRET_BYTES_MAX = 16 << 10,     /* of an upstream credential */
    SEALED_BYTES_MAX = 64 << 10,     /* of anything that is sealed or kept in locked memory */
    /* attestation of local processes */
    PROGRAM_BYTES_MAX = 512 << 20, /* of a program file that is hashed */
    LOOK_WAIT_MS_MAX = 15 * 1000,  /* for the witness */
    LOOKS_PER_UID_MAX = 256,       /* at once */
    ATTESTED_MAX = 16384,          /* connections whose process is watched */
    ATTESTED_PER_UID_MAX = 4096,
    ANCESTORS_MAX = 32, /* between a process and the one that was launched */
    LAUNCHES_MAX = 4096,
};
