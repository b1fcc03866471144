/**
 * The example of the reference page: the smallest file that is of use, and one server for the second path. A test loads it.
 */
export const exampleConfig = `# yaml-language-server: $schema=hybrid-routing.schema.json
server: { host: 127.0.0.1, port: 8080 }
auth:
  keys:
    - { name: ops, role: admin, secret: "\${OPS_KEY}" }
direct:
  targets:
    - { id: frankfurt, region: eu-central-1, modelId: eu.anthropic.claude-sonnet-4-5-20250929-v1:0 }
    - { id: ireland, region: eu-west-1, modelId: eu.anthropic.claude-sonnet-4-5-20250929-v1:0 }
  allowedRegions: ["eu-*"]
mcp:
  servers:
    ops: { url: "http://127.0.0.1:9100/mcp", headers: { Authorization: "Bearer \${MCP_TOKEN}" } }
  routes:
    default: { servers: [ops], tool: execute_operation, carries: converse, repeatable: true }
routing:
  matrix:
    emergency: { latencyMs: 4000, hardTimeoutMs: 8000 }
`
