/**
 * What one member of the configuration says about another, once each is valid by itself: ids that must differ, names that
 * must be known, times in order, a host that needs keys, regions that are allowed. All faults at once, and warnings for
 * what will work and is probably not meant.
 *
 * The rules are the public contract's, part 2; the shape of a server's `timeout` is `mcpServers`' (`schema-mcp.ts`).
 * A reload checks the mixture of old and new members with the same function.
 */
import { operationTypes, type OperationType, type Route } from '../operation/matrix.ts'
import type { FieldError } from '../operation/problem.ts'
import { isTimeZone } from '../alerts/business-hours.ts'
import { conditionFault } from '../alerts/settings.ts'
import { placeholders, unknownPlaceholders } from '../mcp/arguments.ts'
import { modelAllowed, regionAllowed } from './allowed-regions.ts'
import { parseIpRange } from './ip-range.ts'
import { isLoopbackAuthority, isLoopbackHost } from './loopback.ts'
import { nearestName } from './nearest-name.ts'
import { memberPath } from './read-config.ts'
import type { Config, McpRouteConfig } from './schema.ts'

export interface Findings {
  readonly errors: readonly FieldError[]
  readonly warnings: readonly FieldError[]
}

/** ms. A call limit below it was probably meant in seconds. */
const shortestLikelyCallMs = 1_000
/** Characters. Below it a key can be guessed. */
const shortestGoodSecret = 16

/** A check, and the members that it reads: it is made only where these are valid by themselves. */
interface CrossCheck {
  readonly reads: readonly string[]
  readonly faults: (config: Config) => readonly FieldError[]
}

const crossChecks: readonly CrossCheck[] = [
  { reads: ['server.host', 'auth'], faults: hostFaults },
  { reads: ['server.trustedProxies'], faults: proxyFaults },
  { reads: ['server.cors', 'auth'], faults: corsFaults },
  { reads: ['auth.keys', 'auth.jwt'], faults: authFaults },
  { reads: ['direct.targets', 'mcp.servers'], faults: routeFaults },
  { reads: ['direct.targets'], faults: (config) => repeatFaults(config.direct.targets.map((target) => target.id), (index) => `direct.targets[${index}].id`) },
  { reads: ['auth.keys'], faults: keyFaults },
  ...operationTypes.map((type): CrossCheck => ({ reads: [`routing.matrix.${type}`], faults: (config) => rowFaults(config, type) })),
  { reads: ['routing.limiter'], faults: limiterFaults },
  { reads: ['mcp.servers', 'mcp.routes'], faults: serverNameFaults },
  { reads: ['mcp.routes'], faults: templateFaults },
  { reads: ['direct.allowedRegions', 'direct.targets'], faults: targetRegionFaults },
  { reads: ['direct.allowedRegions', 'direct.operations', 'direct.models'], faults: modelRegionFaults },
  { reads: ['direct.allowedRegions', 'metrics.cloudwatch', 'logs.cloudwatch'], faults: cloudWatchRegionFaults },
  { reads: ['direct.allowedRegions', 'alerts.notify'], faults: receiverRegionFaults },
  { reads: ['alerts.rules', 'alerts.additionalRules'], faults: ruleFaults },
  { reads: ['alerts.escalation'], faults: escalationFaults },
]

export function checkConfig(config: Config): Findings {
  return { errors: crossChecks.flatMap(({ faults }) => faults(config)), warnings: [...keyWarnings(config), ...serverWarnings(config), ...rowWarnings(config)] }
}

/** What can be said already of a configuration that is not valid. @param value whole outside the gaps */
export function checkPartialConfig(value: unknown, gaps: readonly string[]): readonly FieldError[] {
  return crossChecks.filter(({ reads }) => !reads.some((path) => gaps.some((gap) => overlap(path, gap)))).flatMap(({ faults }) => faults(value as Config))
}

/** Whether one is the other or within it. */
function overlap(one: string, other: string): boolean {
  const isWithin = (path: string, group: string): boolean => group === '' || path === group || path.startsWith(`${group}.`) || path.startsWith(`${group}[`)
  return isWithin(one, other) || isWithin(other, one)
}

function hostFaults(config: Config): FieldError[] {
  if (isLoopbackHost(config.server.host) || config.auth !== null) return []
  return [{ path: 'server.host', message: `${JSON.stringify(config.server.host)} is not a loopback address, so it needs auth.keys` }]
}

function proxyFaults(config: Config): FieldError[] {
  return config.server.trustedProxies.flatMap((range, index) =>
    parseIpRange(range) === null ? [{ path: `server.trustedProxies[${index}]`, message: `${JSON.stringify(range)} is not an address or a range such as 10.0.0.0/8` }] : [],
  )
}

/** Without keys every page of such an origin would be an admin. */
function corsFaults(config: Config): FieldError[] {
  if (config.server.cors.origins.length === 0 || config.auth !== null) return []
  return [{ path: 'server.cors.origins', message: 'needs auth: without it only pages of this service itself are served' }]
}

function authFaults(config: Config): FieldError[] {
  const { auth } = config
  if (auth === null) return []
  if (auth.jwt === null) return auth.keys.length > 0 ? [] : [{ path: 'auth', message: 'has no entry in keys and no jwt, so nobody could be let in' }]
  const { issuer, jwksUri } = auth.jwt
  return ([['issuer', issuer], ['jwksUri', jwksUri]] as const).flatMap(([name, url]) =>
    url === null || isSafeFetch(url) ? [] : [{ path: `auth.jwt.${name}`, message: `${JSON.stringify(url)} is not https://, and not on this machine: whoever is in between could sign tokens` }],
  )
}

function isSafeFetch(url: string): boolean {
  const http = /^http:\/\/([^/?#]+)/i.exec(url)
  return http === null || isLoopbackAuthority(http[1] ?? '')
}

function routeFaults(config: Config): FieldError[] {
  if (config.direct.targets.length > 0 || Object.values(config.mcp.servers).some((server) => !server.disabled)) return []
  return [{ path: 'direct.targets', message: 'has no entry, and mcp.servers has none that is enabled: at least one is needed to answer anything' }]
}

function repeatFaults(values: readonly string[], pathOf: (index: number) => string): FieldError[] {
  return values.flatMap((value, index) => {
    const first = values.indexOf(value)
    return first === index ? [] : [{ path: pathOf(index), message: `${JSON.stringify(value)} is already ${pathOf(first)}` }]
  })
}

function keyFaults(config: Config): FieldError[] {
  const keys = config.auth?.keys ?? []
  const faults = repeatFaults(keys.map((key) => key.name), (index) => `auth.keys[${index}].name`)
  for (const member of ['secret', 'sha256'] as const) {
    const values = keys.map((key) => key[member]?.toLowerCase())
    const exact = keys.map((key) => (member === 'sha256' ? key.sha256?.toLowerCase() : key.secret))
    for (const [index, value] of exact.entries()) {
      const first = exact.indexOf(value)
      if (value === undefined || first === index || values[index] === undefined) continue
      faults.push({ path: `auth.keys[${index}].${member}`, message: `is the same as auth.keys[${first}].${member}: one key cannot stand for two names` })
    }
  }
  return faults
}

function rowFaults(config: Config, type: OperationType): FieldError[] {
  const row = config.routing.matrix[type]
  const path = `routing.matrix.${type}`
  const faults: FieldError[] = []
  if (row.hardTimeoutMs < row.latencyMs) {
    faults.push({ path: `${path}.hardTimeoutMs`, message: `${row.hardTimeoutMs} is below ${path}.latencyMs, which is ${row.latencyMs}` })
  }
  if (row.fallback === row.route) {
    const other: Route = row.route === 'direct' ? 'mcp' : 'direct'
    faults.push({ path: `${path}.fallback`, message: `"${row.fallback}" is the route itself; allowed are "${other}" and "none"` })
  }
  return faults
}

function limiterFaults(config: Config): FieldError[] {
  const { lowest, highest } = config.routing.limiter
  return highest < lowest ? [{ path: 'routing.limiter.highest', message: `${highest} is below routing.limiter.lowest, which is ${lowest}` }] : []
}

function mcpRoutes(config: Config): readonly (readonly [path: string, route: McpRouteConfig])[] {
  return (['default', ...operationTypes] as const).flatMap((name) => {
    const route = config.mcp.routes[name]
    return route === undefined || route === null ? [] : [[`mcp.routes.${name}`, route] as const]
  })
}

function serverNameFaults(config: Config): FieldError[] {
  const known = Object.keys(config.mcp.servers)
  return mcpRoutes(config).flatMap(([path, route]) =>
    route.servers.flatMap((name, index) => {
      if (Object.hasOwn(config.mcp.servers, name)) return []
      const nearest = nearestName(name, known)
      const hint = nearest === undefined ? `known are ${known.length === 0 ? 'none' : known.join(', ')}` : `the nearest known name is ${nearest}`
      return [{ path: `${path}.servers[${index}]`, message: `${JSON.stringify(name)} is not a server of mcp.servers; ${hint}` }]
    }),
  )
}

function templateFaults(config: Config): FieldError[] {
  return mcpRoutes(config).flatMap(([path, route]) => {
    const unknown = route.arguments === null ? [] : unknownPlaceholders(route.arguments)
    return unknown.map((name) => ({ path: `${path}.arguments`, message: `"{{${name}}}" is not a placeholder; allowed are ${placeholders.join(', ')}, and members of context and metadata` }))
  })
}

function targetRegionFaults(config: Config): FieldError[] {
  return config.direct.targets.flatMap(({ region, modelId, endpoint }, index) => [
    ...regionFault(config, `direct.targets[${index}].region`, region),
    ...modelFault(config, `direct.targets[${index}].modelId`, modelId),
    ...regionFault(config, `direct.targets[${index}].endpoint`, regionOfEndpoint(endpoint)),
  ])
}

function modelRegionFaults(config: Config): FieldError[] {
  const { operations, models } = config.direct
  return [...operationTypes.flatMap((type) => modelFault(config, `direct.operations.${type}.modelId`, operations[type]?.modelId)), ...models.flatMap((modelId, index) => modelFault(config, `direct.models[${index}]`, modelId))]
}

function cloudWatchRegionFaults(config: Config): FieldError[] {
  const { cloudwatch } = config.metrics
  const ofMetrics = cloudwatch.enabled ? [...regionFault(config, 'metrics.cloudwatch.region', cloudwatch.region), ...regionFault(config, 'metrics.cloudwatch.endpoint', regionOfEndpoint(cloudwatch.endpoint))] : []
  return [...ofMetrics, ...(config.logs.cloudwatch.enabled ? regionFault(config, 'logs.cloudwatch.endpoint', regionOfEndpoint(config.logs.cloudwatch.endpoint)) : [])]
}

function receiverRegionFaults(config: Config): FieldError[] {
  return config.alerts.notify.flatMap((notifier, index) =>
    notifier.type === 'sns' ? [...regionFault(config, `alerts.notify[${index}].topicArn`, notifier.topicArn.split(':')[3]), ...regionFault(config, `alerts.notify[${index}].endpoint`, regionOfEndpoint(notifier.endpoint))] : [],
  )
}

function regionFault({ direct: { allowedRegions } }: Config, path: string, region: string | null | undefined): FieldError[] {
  if (region === null || region === undefined || regionAllowed(region, allowedRegions)) return []
  return [{ path, message: `${JSON.stringify(region)} is ${outside(allowedRegions)}` }]
}

function modelFault({ direct: { allowedRegions } }: Config, path: string, modelId: string | null | undefined): FieldError[] {
  if (modelId === null || modelId === undefined || modelAllowed(modelId, allowedRegions)) return []
  return [{ path, message: `${JSON.stringify(modelId)} may send prompts ${outside(allowedRegions)}` }]
}

function outside(allowedRegions: readonly string[]): string {
  return `outside direct.allowedRegions, which is ${allowedRegions.join(', ')}`
}

/** The region that an address of AWS's own names (`bedrock-runtime.eu-west-1.amazonaws.com`, `vpce-….eu-west-1.vpce.amazonaws.com`); null for others. */
function regionOfEndpoint(endpoint: string | null | undefined): string | null {
  const host = /^https?:\/\/([^/:?#]+)/i.exec(endpoint ?? '')?.[1]?.toLowerCase() ?? ''
  if (!/\.(amazonaws\.com(\.cn)?|api\.aws)$/.test(host)) return null
  return host.split('.').find((label) => /^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$/.test(label)) ?? null
}

function ruleFaults(config: Config): FieldError[] {
  const { rules, additionalRules } = config.alerts
  const faults: FieldError[] = []
  const checkCondition = (path: string, condition: Parameters<typeof conditionFault>[0]): void => {
    const message = conditionFault(condition)
    if (message !== null) faults.push({ path: `${path}.condition`, message })
  }
  for (const [name, rule] of Object.entries(rules)) checkCondition(memberPath('alerts.rules', name), rule.condition)
  for (const [index, rule] of additionalRules.entries()) {
    const path = `alerts.additionalRules[${index}]`
    checkCondition(path, rule.condition)
    if (Object.hasOwn(rules, rule.name)) faults.push({ path: `${path}.name`, message: `${JSON.stringify(rule.name)} is a rule of the runbook; change it in alerts.rules` })
  }
  faults.push(...repeatFaults(additionalRules.map((rule) => rule.name), (index) => `alerts.additionalRules[${index}].name`))
  return faults
}

function escalationFaults(config: Config): FieldError[] {
  const { escalation } = config.alerts
  const faults: FieldError[] = []
  for (const [index, level] of escalation.chain.entries()) {
    const before = escalation.chain[index - 1]
    if (before !== undefined && level.afterMs < before.afterMs) {
      faults.push({ path: `alerts.escalation.chain[${index}].afterMs`, message: `${level.afterMs} is below that of the level before it, which is ${before.afterMs}` })
    }
  }
  if (!isTimeZone(escalation.businessHours.timeZone)) {
    faults.push({ path: 'alerts.escalation.businessHours.timeZone', message: `${JSON.stringify(escalation.businessHours.timeZone)} is not a time zone that is known here` })
  }
  return faults
}

function keyWarnings(config: Config): FieldError[] {
  return (config.auth?.keys ?? []).flatMap((key, index) =>
    key.secret !== undefined && key.secret.length < shortestGoodSecret
      ? [{ path: `auth.keys[${index}].secret`, message: `has ${key.secret.length} characters and can be guessed; ${shortestGoodSecret} or more are good` }]
      : [],
  )
}

function serverWarnings(config: Config): FieldError[] {
  const warnings: FieldError[] = []
  const used = new Set(mcpRoutes(config).flatMap(([, route]) => route.servers))
  for (const [name, server] of Object.entries(config.mcp.servers)) {
    const path = memberPath('mcp.servers', name)
    if (server.timeout !== null && server.timeout < shortestLikelyCallMs) {
      warnings.push({ path: `${path}.timeout`, message: `${server.timeout} is in milliseconds; ${server.timeout * 1_000} if seconds were meant` })
    }
    if (!server.disabled && !used.has(name)) warnings.push({ path, message: 'is named by no route of mcp.routes, so nothing is sent to it' })
  }
  for (const [path, route] of mcpRoutes(config)) {
    if (route.servers.every((name) => config.mcp.servers[name]?.disabled === true)) {
      warnings.push({ path: `${path}.servers`, message: 'names only servers that are disabled, so the route cannot be used' })
    }
  }
  return warnings
}

/** Rows that nothing configured can answer. */
function rowWarnings(config: Config): FieldError[] {
  return operationTypes.flatMap((type) => {
    const { route, fallback } = config.routing.matrix[type]
    if (carries(config, type, route) || (fallback !== 'none' && carries(config, type, fallback))) return []
    const wanted = fallback === 'none' ? `"${route}"` : `"${route}" or "${fallback}"`
    return [{ path: `routing.matrix.${type}`, message: `goes ${wanted}, and nothing there carries it: every such operation will be refused` }]
  })
}

function carries(config: Config, type: (typeof operationTypes)[number], route: Route): boolean {
  if (route === 'direct') return config.direct.targets.some((target) => target.operations === null || target.operations.includes(type))
  const mcpRoute = config.mcp.routes[type] ?? config.mcp.routes.default
  return mcpRoute !== null && mcpRoute.servers.some((name) => config.mcp.servers[name]?.disabled === false)
}
