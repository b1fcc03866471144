/**
 * Which operation a request line means. Path segments are split before they are percent-decoded, because the slash and the
 * colons of an ARN travel encoded inside one segment (`%2F`, `%3A`). Source: the HTTP bindings of the Bedrock Runtime and
 * Bedrock service models.
 */
export type RuntimeOperation = 'Converse' | 'ConverseStream' | 'InvokeModel' | 'InvokeModelWithResponseStream' | 'CountTokens'

/** The control plane's operations are fault targets too: a region that is down answers neither. */
export type Operation = RuntimeOperation | 'ListFoundationModels' | 'GetFoundationModel'

export type Route =
  | { readonly kind: 'runtime'; readonly operation: RuntimeOperation; readonly modelId: string }
  | { readonly kind: 'listModels'; readonly query: ReadonlyMap<string, string> }
  | { readonly kind: 'getModel'; readonly modelId: string }
  | { readonly kind: 'control'; readonly path: string }
  | { readonly kind: 'unknown' }

const runtimeOperations: ReadonlyMap<string, RuntimeOperation> = new Map([
  ['converse', 'Converse'],
  ['converse-stream', 'ConverseStream'],
  ['invoke', 'InvokeModel'],
  ['invoke-with-response-stream', 'InvokeModelWithResponseStream'],
  ['count-tokens', 'CountTokens'],
])

export function routeOf(method: string, url: string): Route {
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  const [empty, first, second, third, ...rest] = path.split('/')
  if (empty !== '' || rest.length > 0) return { kind: 'unknown' }
  if (first === '_emulator' && second !== undefined && third === undefined) return { kind: 'control', path: second }
  if (first === 'model' && second !== undefined && third !== undefined && method === 'POST') {
    const operation = runtimeOperations.get(third)
    const modelId = decode(second)
    if (operation === undefined || modelId === undefined) return { kind: 'unknown' }
    return { kind: 'runtime', operation, modelId }
  }
  if (first === 'foundation-models' && third === undefined && method === 'GET') {
    if (second === undefined) return { kind: 'listModels', query: parseQuery(mark === -1 ? '' : url.slice(mark + 1)) }
    const modelId = decode(second)
    return modelId === undefined ? { kind: 'unknown' } : { kind: 'getModel', modelId }
  }
  return { kind: 'unknown' }
}

export function isStream(operation: RuntimeOperation): boolean {
  return operation === 'ConverseStream' || operation === 'InvokeModelWithResponseStream'
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    // A lone percent sign or broken UTF-8: no identifier looks so, which the caller answers as an unknown path.
    return undefined
  }
}

function parseQuery(query: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const pair of query.split('&')) {
    const [name, ...value] = pair.split('=')
    const decodedName = decode(name ?? '')
    const decodedValue = decode(value.join('='))
    if (decodedName !== undefined && decodedName !== '' && decodedValue !== undefined) pairs.set(decodedName, decodedValue)
  }
  return pairs
}
