/**
 * From a plain value, as a file or a program gives it, to a valid frozen `Config`, or to every fault at once. `serve`, a
 * reload, `doctor` and the demo all come through here.
 *
 * `AWS_BEARER_TOKEN_BEDROCK` is the one variable that is read without being named: AWS's own tools do so, and the public
 * contract promises it. It gives way to `direct.bearerToken` and `direct.credentials`.
 */
import type { FieldError } from '../operation/problem.ts'
import { checkConfig, checkPartialConfig } from './check-config.ts'
import type { Environment } from './environment.ts'
import { configFaults } from './limits.ts'
import { readConfig } from './read-config.ts'
import { configNode, type Config, type DeepReadonly } from './schema.ts'

export type ResolvedConfig =
  | { readonly config: Config; readonly warnings: readonly FieldError[] }
  | { readonly errors: readonly FieldError[] }

/** What the command line says; it wins over the file. */
export interface ConfigOverrides {
  readonly host?: string
  readonly port?: number
}

export function resolveConfig(raw: unknown, environment: Environment, overrides: ConfigOverrides = {}): ResolvedConfig {
  const reading = readConfig(configNode, withBearerToken(withOverrides(raw ?? {}, overrides)), environment)
  // What can be seen already of how members go together is told with it: nobody mends a file twice for one start.
  if (reading.errors.length > 0) return { errors: bounded([...reading.errors, ...checkPartialConfig(reading.value, reading.gaps)]) }
  const config = deepFreeze(reading.value) as Config
  const { errors, warnings } = checkConfig(config)
  return errors.length > 0 ? { errors: bounded(errors) } : { config, warnings }
}

/** The same for a value that the program made itself: its faults are an error. */
export function validConfig(raw: unknown, environment: Environment = {}): Config {
  const resolved = resolveConfig(raw, environment)
  if ('errors' in resolved) throw new ConfigError(resolved.errors)
  return resolved.config
}

/** Every default, and so no target and no server: what a reference page, a test or a `demo` begins with. */
export function defaultConfig(): Config {
  return deepFreeze(readConfig(configNode, {}, {}).value) as Config
}

/** `routing.matrix.emergency.latencyMs: 0 is not in [1, 60000]` */
export function formatFieldError(error: FieldError): string {
  return error.path === '' ? error.message : `${error.path}: ${error.message}`
}

/** The faults as an error, for callers that cannot go on. */
export class ConfigError extends Error {
  readonly errors: readonly FieldError[]

  constructor(errors: readonly FieldError[]) {
    super(['The configuration is not valid.', ...errors.map(formatFieldError)].join('\n'))
    this.name = 'ConfigError'
    this.errors = errors
  }
}

export function deepFreeze<Value>(value: Value): DeepReadonly<Value> {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value as DeepReadonly<Value>
}

function withOverrides(raw: unknown, overrides: ConfigOverrides): unknown {
  if (overrides.host === undefined && overrides.port === undefined) return raw
  if (!isMembers(raw)) return raw
  const server = raw['server'] ?? {}
  if (!isMembers(server)) return raw
  return {
    ...raw,
    server: {
      ...server,
      ...(overrides.host === undefined ? {} : { host: overrides.host }),
      ...(overrides.port === undefined ? {} : { port: overrides.port }),
    },
  }
}

function withBearerToken(raw: unknown): unknown {
  if (!isMembers(raw)) return raw
  const direct = raw['direct'] ?? {}
  if (!isMembers(direct) || (direct['credentials'] ?? null) !== null || (direct['bearerToken'] ?? null) !== null) return raw
  return { ...raw, direct: { ...direct, bearerToken: '${AWS_BEARER_TOKEN_BEDROCK:-}' } }
}

function bounded(errors: readonly FieldError[]): readonly FieldError[] {
  if (errors.length <= configFaults) return errors
  return [...errors.slice(0, configFaults), { path: '', message: `and ${errors.length - configFaults} more` }]
}

function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
