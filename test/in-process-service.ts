/**
 * The service as it is composed, in the process of the test: on a port of its own, silent, with the AWS emulator's
 * credentials, and on the in-memory store unless the test says otherwise.
 */
import { emulatorCredentials, emulatorKeys } from '../src/cli/emulator-credentials.ts'
import { fixedConfig } from '../src/config/config-watcher.ts'
import { validConfig } from '../src/config/resolve-config.ts'
import { startService, type Service, type ServiceParts } from '../src/service/serve.ts'

export interface InProcessConfig {
  readonly targets?: readonly object[]
  readonly [section: string]: unknown
}

/** @param environment what the configuration's secrets name, besides the emulator's credentials */
export function startInProcess({ targets = [], ...sections }: InProcessConfig, parts: Partial<ServiceParts> = {}, environment: Readonly<Record<string, string>> = {}): Promise<Service> {
  const config = validConfig(
    { server: { port: 0 }, logs: { level: 'fatal' }, store: { engine: 'memory' }, direct: { targets, credentials: emulatorCredentials }, ...sections },
    { ...emulatorKeys, ...environment },
  )
  return startService({ config: fixedConfig(config), environment: {}, log: { write: () => undefined, setLevel: () => undefined, flush: () => Promise.resolve(), flushNow: () => undefined }, ...parts })
}
