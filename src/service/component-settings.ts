/**
 * From the configuration to what each component is told, in its own words. Pure; the composition root calls it at the start
 * and after every reload. A component never sees the configuration itself, so that it can be run and tested without one.
 */
import { directTimeouts } from '../config/derived-limits.ts'
import type { Config, McpServerConfig } from '../config/schema.ts'
import { defaultDirectLimits, type DirectSettings } from '../direct/settings.ts'
import type { CredentialSource } from '../direct/adapters/credential-keeper.ts'
import { credentialSource } from '../direct/adapters/credential-chain.ts'
import type { IntakeSettings } from '../intake/intake.ts'
import type { McpServerSettings, McpSettings } from '../mcp/settings.ts'
import type { Operation } from '../operation/operation.ts'
import { operationTypes } from '../operation/matrix.ts'
import { defaultBreakerSettings, type BreakerSettings } from '../breaker/breaker.ts'
import { defaultConcurrencyLimitSettings, type ConcurrencyLimitSettings } from '../routing/concurrency-limit.ts'
import { noOverrides } from '../routing/conditions.ts'
import { estimateSettings } from '../routing/latency-estimates.ts'
import type { RouterSettings } from '../router/hybrid-router.ts'

export function directSettings(config: Config): DirectSettings {
  const { targets, operations, connections } = config.direct
  // One set of limits for all operations: the widest, since each operation's own deadline bounds its attempts anyway.
  const timeouts = operationTypes.map((type) => directTimeouts(config, type))
  const widest = (pick: (timeout: (typeof timeouts)[number]) => number): number => Math.max(...timeouts.map(pick))
  return {
    targets: targets.map(({ id, region, modelId, endpoint }) => ({ id, region, modelId, ...(endpoint === null || endpoint === undefined ? {} : { endpoint }) })),
    operations: Object.fromEntries(Object.entries(operations).flatMap(([type, settings]) => (settings === undefined ? [] : [[type, withoutNulls(settings)]]))),
    limits: {
      ...defaultDirectLimits,
      connectMs: widest((timeout) => timeout.connectMs),
      firstByteMs: widest((timeout) => timeout.firstByteMs),
      silenceMs: widest((timeout) => timeout.silenceMs),
      connectionsPerTarget: connections,
    },
  }
}

/** `null` is how the configuration says "none"; a component says it by leaving the member out. */
function withoutNulls<Value extends object>(value: Value): { readonly [Member in keyof Value]?: NonNullable<Value[Member]> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null)) as { readonly [Member in keyof Value]?: NonNullable<Value[Member]> }
}

/** A Bedrock API key (which the configuration also takes from the environment), fixed credentials, else the SDK's default chain. */
export function credentialsOf(config: Config): CredentialSource {
  const { bearerToken, credentials } = config.direct
  if (bearerToken !== null) return { kind: 'api_key', key: bearerToken }
  if (credentials !== null) {
    const { accessKeyId, secretAccessKey, sessionToken } = credentials
    return { kind: 'provider', obtain: () => Promise.resolve({ accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) }) }
  }
  return credentialSource({})
}

export function mcpSettings(config: Config): McpSettings {
  return {
    // An attempt that was claimed waits for its place as long as its own deadline allows: what is more urgent goes before it.
    queueWaitMs: Math.max(...operationTypes.map((type) => config.routing.matrix[type].hardTimeoutMs)),
    servers: Object.fromEntries(Object.entries(config.mcp.servers).map(([name, server]) => [name, mcpServer(server)])),
    routes: Object.fromEntries(
      Object.entries(config.mcp.routes).flatMap(([type, route]) =>
        route === null || route === undefined
          ? []
          : [[type, { servers: route.servers, tool: route.tool, carries: route.carries, repeatable: route.repeatable, ...(route.arguments === null ? {} : { arguments: route.arguments }) }]],
      ),
    ),
  }
}

function mcpServer(server: McpServerConfig): McpServerSettings {
  const common = { disabled: server.disabled, concurrency: server.concurrency, ...(server.timeout === null ? {} : { timeoutMs: server.timeout }) }
  if ('url' in server) return { ...common, url: server.url, headers: server.headers, ...(server.bearerToken === null ? {} : { bearerToken: server.bearerToken }) }
  return { ...common, command: server.command, args: server.args, env: server.env, ...(server.cwd === null ? {} : { cwd: server.cwd }) }
}

/** Of a hundred places one is kept for emergencies alone, and at least one. */
const reservedShare = 0.01
/** Of the places, those of operations that only wait until a target has room. */
const waitingShare = 0.5

/** What is `null` keeps its proportion to the requirements: a matrix scaled down rests for less. */
function breakerSettings(config: Config): BreakerSettings {
  const { breaker, matrix } = config.routing
  const shortestMs = Math.min(...operationTypes.map((type) => matrix[type].latencyMs))
  const { minimumCalls, failureShare, consecutiveFailures } = breaker
  const restMs = breaker.restMs ?? 0.2 * shortestMs
  return {
    ...defaultBreakerSettings,
    minimumCalls,
    failureShare,
    consecutiveFailures,
    windowMs: breaker.windowMs ?? 2 * shortestMs,
    restMs,
    longestRestMs: Math.max(restMs, breaker.longestRestMs ?? 6 * shortestMs),
    rampMs: breaker.rampMs ?? shortestMs,
  }
}

/** As for the breakers: times that are `null` keep their proportion to the requirements. */
function limiterSettings(config: Config): ConcurrencyLimitSettings {
  const { limiter, matrix } = config.routing
  const shortestMs = Math.min(...operationTypes.map((type) => matrix[type].latencyMs))
  const { lowest, highest, decrease, slowFactor } = limiter
  return {
    ...defaultConcurrencyLimitSettings,
    lowest,
    highest,
    decrease,
    slowFactor,
    carefulForMs: limiter.carefulForMs ?? 3 * shortestMs,
    usefulOverMs: limiter.usefulOverMs ?? 0.4 * shortestMs,
  }
}

export function routerSettings(config: Config): RouterSettings {
  const { inFlightOperations, retainedDecisions } = config.limits
  const { routing } = config
  return {
    matrix: config.routing.matrix,
    overrides: noOverrides,
    prices: config.direct.prices,
    inFlightOperations,
    reservedForEmergencies: Math.max(1, Math.floor(inFlightOperations * reservedShare)),
    waitingPlaces: Math.max(1, Math.floor(inFlightOperations * waitingShare)),
    retainedDecisions,
    chance: {
      rescueThreshold: routing.rescue.threshold,
      rescueShare: routing.rescue.budget,
      hedging: routing.hedging.enabled,
      hedgeShare: routing.hedging.budget,
      aggressiveness: routing.fallbackAggressiveness,
      helpAfterMs: { direct: routing.latencyThresholds.directMs, mcp: routing.latencyThresholds.mcpMs },
    },
    retryShare: routing.retry.budget,
    targets: {
      breaker: breakerSettings(config),
      limiter: limiterSettings(config),
      estimates: estimateSettings(routing.matrix),
    },
  }
}

export function intakeSettings(config: Config): IntakeSettings {
  return {
    matrix: config.routing.matrix,
    streamSilenceMs: config.routing.streamSilenceMs,
    streamMaxMs: config.routing.streamMaxMs,
    currency: config.direct.prices.currency,
    models: choosableModels(config),
    callbacks: config.callbacks.secret !== null,
  }
}

/**
 * The targets that an operation may use: those of the model it chose; all where it chose none, or a model that no target has
 * for its own, which every target is then asked for.
 */
export function targetsFor(config: Config, operation: Operation): readonly string[] {
  const { targets } = config.direct
  const ofModel = operation.modelId === undefined ? [] : targets.filter((target) => target.modelId === operation.modelId)
  return (ofModel.length === 0 ? targets : ofModel).map((target) => target.id)
}

/** Every model that a caller may name. */
export function choosableModels(config: Config): ReadonlySet<string> {
  const { targets, models, operations } = config.direct
  const ofOperations = Object.values(operations).flatMap((settings) => (settings?.modelId === undefined || settings.modelId === null ? [] : [settings.modelId]))
  return new Set([...targets.map((target) => target.modelId), ...models, ...ofOperations])
}
