/**
 * Loads the configuration: the file that is named, or `hybrid-routing.yaml` in the working directory, with the environment
 * and what the command line overrides. Faults are values, so that a reload can refuse them; `ConfigError` is for callers
 * that cannot go on.
 *
 * This folder is the only place where the environment is read: the caller hands it in once, and nothing keeps it.
 */
import { readConfigFile } from './adapters/config-file.ts'
import { parseConfigText } from './config-text.ts'
import type { Environment } from './environment.ts'
import { resolveConfig, type ConfigOverrides, type ResolvedConfig } from './resolve-config.ts'

export const defaultConfigFile = 'hybrid-routing.yaml'

export interface LoadOptions {
  /** Relative to `cwd`; without it the default file is looked for. */
  readonly file?: string
  readonly cwd: string
  readonly env: Environment
  readonly overrides?: ConfigOverrides
}

export function loadConfig(options: LoadOptions): ResolvedConfig {
  const file = readConfigFile(configPath(options))
  switch (file.kind) {
    case 'absent':
      return { errors: [{ path: options.file ?? defaultConfigFile, message: absentHint(options) }] }
    case 'unreadable':
      return { errors: [file.error] }
    case 'text': {
      const parsed = parseConfigText(file.text)
      if (parsed.kind === 'faulty') return { errors: parsed.errors }
      return resolveConfig(parsed.value, options.env, options.overrides)
    }
    default:
      return file satisfies never
  }
}

/** The path that is read, for the watcher and for messages. */
export function configPath(options: Pick<LoadOptions, 'file' | 'cwd'>): string {
  const file = options.file ?? defaultConfigFile
  return file.startsWith('/') ? file : `${options.cwd.replace(/\/+$/, '')}/${file}`
}

function absentHint(options: LoadOptions): string {
  return options.file === undefined
    ? `is not in ${options.cwd}; write one, name another with --config, or try "hybrid-routing demo", which needs none`
    : `is not there (looked in ${options.cwd})`
}
