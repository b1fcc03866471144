/**
 * What one member of the configuration says about another, once each is valid by itself: ids that must differ, names that
 * must be known, times in order, a host that needs keys, regions that are allowed. All faults at once, and warnings for
 * what will work and is probably not meant.
 *
 * The rules are the public contract's, part 2; the shape of a server's `timeout` is `mcpServers`' (`schema-mcp.ts`).
 * A reload checks the mixture of old and new members with the same function.
 */
import { operationTypes, type Route } from '../operation/matrix.ts'
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

export function checkConfig(config: Config): Findings {
  const errors = [
    ...hostFaults(config),
    ...serverFaults(config),
    ...authFaults(config),
    ...routeFaults(config),
    ...repeatFaults(config.direct.targets.map((target) => target.id), (index) => `direct.targets[${index}].id`),
    ...keyFaults(config),
    ...matrixFaults(config),
    ...serverNameFaults(config),
    ...templateFaults(config),
    ...regionFaults(config),
    ...alertFaults(config),
  ]
  return { errors, warnings: [...keyWarnings(config), ...serverWarnings(config), ...rowWarnings(config)] }
}

function hostFaults(config: Config): FieldError[] {
  if (isLoopbackHost(config.server.host) || config.auth !== null) return []
  return [{ path: 'server.host', message: `${JSON.stringify(config.server.host)} is not a loopback address, so it needs auth.keys` }]
}

function serverFaults(config: Config): FieldError[] {
  const { cors, trustedProxies } = config.server
  const faults = trustedProxies.flatMap((range, index) =>
    parseIpRange(range) === null ? [{ path: `server.trustedProxies[${index}]`, message: `${JSON.stringify(range)} is not an address or a range such as 10.0.0.0/8` }] : [],
  )
  // Without keys every page of such an origin would be an admin.
  if (cors.origins.length > 0 && config.auth === null) faults.push({ path: 'server.cors.origins', message: 'needs auth: without it only pages of this service itself are served' })
  return faults
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

function matrixFaults(config: Config): FieldError[] {
  return operationTypes.flatMap((type) => {
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
  })
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

function regionFaults(config: Config): FieldError[] {
  const { targets, allowedRegions, operations, models } = config.direct
  const outside = `outside direct.allowedRegions, which is ${allowedRegions.join(', ')}`
  const faults: FieldError[] = []
  const checkModel = (path: string, modelId: string | null | undefined): void => {
    if (modelId === null || modelId === undefined || modelAllowed(modelId, allowedRegions)) return
    faults.push({ path, message: `${JSON.stringify(modelId)} may send prompts ${outside}` })
  }
  for (const [index, target] of targets.entries()) {
    if (!regionAllowed(target.region, allowedRegions)) faults.push({ path: `direct.targets[${index}].region`, message: `${JSON.stringify(target.region)} is ${outside}` })
    checkModel(`direct.targets[${index}].modelId`, target.modelId)
  }
  const checkRegion = (path: string, region: string | null | undefined): void => {
    if (region === null || region === undefined || regionAllowed(region, allowedRegions)) return
    faults.push({ path, message: `${JSON.stringify(region)} is ${outside}` })
  }
  for (const [index, target] of targets.entries()) checkRegion(`direct.targets[${index}].endpoint`, regionOfEndpoint(target.endpoint))
  const { cloudwatch } = config.metrics
  if (cloudwatch.enabled) {
    checkRegion('metrics.cloudwatch.region', cloudwatch.region)
    checkRegion('metrics.cloudwatch.endpoint', regionOfEndpoint(cloudwatch.endpoint))
  }
  if (config.logs.cloudwatch.enabled) checkRegion('logs.cloudwatch.endpoint', regionOfEndpoint(config.logs.cloudwatch.endpoint))
  for (const [index, notifier] of config.alerts.notify.entries()) {
    if (notifier.type !== 'sns') continue
    checkRegion(`alerts.notify[${index}].topicArn`, notifier.topicArn.split(':')[3])
    checkRegion(`alerts.notify[${index}].endpoint`, regionOfEndpoint(notifier.endpoint))
  }
  for (const type of operationTypes) checkModel(`direct.operations.${type}.modelId`, operations[type]?.modelId)
  for (const [index, modelId] of models.entries()) checkModel(`direct.models[${index}]`, modelId)
  return faults
}

/** The region that an address of AWS's own names (`bedrock-runtime.eu-west-1.amazonaws.com`, `vpce-….eu-west-1.vpce.amazonaws.com`); null for others. */
function regionOfEndpoint(endpoint: string | null | undefined): string | null {
  const host = /^https?:\/\/([^/:?#]+)/i.exec(endpoint ?? '')?.[1]?.toLowerCase() ?? ''
  if (!/\.(amazonaws\.com(\.cn)?|api\.aws)$/.test(host)) return null
  return host.split('.').find((label) => /^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$/.test(label)) ?? null
}

function alertFaults(config: Config): FieldError[] {
  const { rules, additionalRules, escalation } = config.alerts
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
