/**
 * Pieces of a configuration with which a service reaches the AWS emulator and the operations MCP server of a test.
 */
export const model = 'eu.anthropic.claude-haiku-4-5-20251001-v1:0'

/** A Bedrock target that the emulator answers for. */
export const targetAt = (endpoint: string | undefined, id = 'frankfurt', modelId = model, region = 'eu-central-1'): object => ({ id, region, modelId, endpoint })

/** The section `mcp` with the operations MCP server alone, for every operation. */
export const operationsServerAt = (url: string, server: object = {}): object => ({
  servers: { ops: { url, ...server } },
  routes: { default: { servers: ['ops'], tool: 'execute_operation', carries: 'converse', repeatable: true } },
})
