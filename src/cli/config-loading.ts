/**
 * Loading the configuration for a command: its faults on standard error, one line each, all at once; its warnings too.
 */
import type { Config } from '../config/schema.ts'
import { configPath, loadConfig, type LoadOptions } from '../config/load-config.ts'
import { formatFieldError } from '../config/resolve-config.ts'
import { CommandFailure, exitCode, type Terminal } from './terminal.ts'

export function loadConfigOrFail(options: LoadOptions, terminal: Terminal): Config {
  const loaded = loadConfig(options)
  if ('errors' in loaded) {
    const lines = loaded.errors.map((error) => `  ${formatFieldError(error)}\n`).join('')
    throw new CommandFailure(`the configuration cannot be used (${configPath(options)}):\n${lines.trimEnd()}`, exitCode.failed)
  }
  for (const warning of loaded.warnings) terminal.err(`hybrid-routing: warning: ${formatFieldError(warning)}\n`)
  return loaded.config
}
