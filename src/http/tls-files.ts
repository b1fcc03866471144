/**
 * The certificate of the port: read from the configured files, and read again on SIGHUP and when one of them changes, so
 * that a renewal needs no restart. A pair that does not belong together changes nothing (the two files of a renewal are
 * never replaced at the same instant); the next change is looked at again.
 *
 * What came of it is told as the configuration's own events, under the path `server.tls`.
 */
import { readFileSync } from 'node:fs'
import { watchConfigFile } from '../config/adapters/file-changes.ts'
import { onHangup } from '../config/adapters/hangup.ts'
import { reloadQuietMs } from '../config/limits.ts'
import { ConfigError } from '../config/resolve-config.ts'
import type { TlsConfig } from '../config/schema.ts'
import type { FieldError } from '../operation/problem.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import { checkTls, type TlsSettings } from '../runtime/tls-door.ts'

/** The files as they are now. Throws `ConfigError` when they cannot be used. */
export function readTlsFiles(tls: TlsConfig): TlsSettings {
  const faults: FieldError[] = []
  const read = (member: 'cert' | 'key' | 'clientCa', path: string): string => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
      faults.push({ path: `server.tls.${member}`, message: `${JSON.stringify(path)} cannot be read (${code})` })
      return ''
    }
  }
  const settings: TlsSettings = {
    cert: read('cert', tls.cert),
    key: read('key', tls.key),
    minVersion: tls.minVersion,
    ...(tls.clientCa === null ? {} : { clientCa: read('clientCa', tls.clientCa) }),
  }
  if (faults.length === 0 && !checkTls(settings)) {
    faults.push({ path: 'server.tls', message: 'certificate and key are not PEM, or do not belong together' })
  }
  if (faults.length > 0) throw new ConfigError(faults)
  return settings
}

export interface TlsFilesParts {
  readonly tls: TlsConfig
  readonly clock: Clock
  readonly events: EventStream<SystemEvent>
  readonly apply: (settings: TlsSettings) => void
}

/** @returns what ends the watching. */
export function followTlsFiles({ tls, clock, events, apply }: TlsFilesParts): () => void {
  let cancelPending: CancelSchedule | null = null
  let inUse = JSON.stringify(readTlsFiles(tls))

  const reload = (): void => {
    cancelPending = null
    const atMs = clock.nowMs()
    try {
      const settings = readTlsFiles(tls)
      const found = JSON.stringify(settings)
      if (found === inUse) return
      apply(settings)
      inUse = found
      events.publish({ type: 'config_reloaded', atMs, changed: ['server.tls'], needsRestart: [] })
    } catch (error) {
      const errors = error instanceof ConfigError ? error.errors : [{ path: 'server.tls', message: 'the certificate cannot be used' }]
      events.publish({ type: 'config_rejected', atMs, errors })
    }
  }
  const reloadWhenQuiet = (): void => {
    cancelPending?.()
    cancelPending = clock.schedule(clock.monotonicMs() + reloadQuietMs, reload)
  }

  const paths = [tls.cert, tls.key, ...(tls.clientCa === null ? [] : [tls.clientCa])]
  const stops = [...paths.map((path) => watchConfigFile(path, reloadWhenQuiet)), onHangup(reload)]
  return () => {
    cancelPending?.()
    for (const stop of stops) stop()
  }
}
