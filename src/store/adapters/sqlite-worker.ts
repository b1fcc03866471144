/**
 * The worker thread of the SQLite engine: with durability `power` it runs the groups of calls and syncs them to disk; with
 * `process` it only makes checkpoints, for which it has a connection of its own. Either way the main thread never syncs.
 */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { storeLimits } from '../limits.ts'
import type { QueueOptions } from '../message-queue.ts'
import type { SqliteFileOptions } from './sqlite-file.ts'
import { toStoreError } from './sqlite-file.ts'
import { openSqliteHost, type HostAnswer, type HostCall, type SqliteHost } from './sqlite-host.ts'

export type WorkerRole =
  | { readonly role: 'host'; readonly options: SqliteFileOptions & { readonly queue: QueueOptions; readonly nowMs: number } }
  | { readonly role: 'checkpoints'; readonly path: string }
export type WorkerRequest = { readonly ask: 'run'; readonly calls: readonly HostCall[] } | { readonly ask: 'checkpoint'; readonly mode: 'passive' | 'restart' } | { readonly ask: 'close' }
export type WorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answers'; readonly answers: readonly HostAnswer[] }
  | { readonly kind: 'pages'; readonly pages: number }
  | { readonly kind: 'failed'; readonly fault: ReturnType<typeof toStoreError>['fault']; readonly message: string }

function serve(given: WorkerRole, port: NonNullable<typeof parentPort>): void {
  const path = given.role === 'host' ? given.options.path : given.path
  const reply = (message: WorkerReply): void => port.postMessage(message)
  const guarded = (action: () => void): void => {
    try {
      action()
    } catch (error) {
      const { fault, message } = toStoreError(path, error)
      reply({ kind: 'failed', fault, message })
    }
  }

  guarded(() => {
    const host = given.role === 'host' ? openSqliteHost(given.options) : checkpointsOnly(path)
    let groups = 0
    port.on('message', (request: WorkerRequest) => {
      guarded(() => {
        switch (request.ask) {
          case 'run':
            reply({ kind: 'answers', answers: host.run(request.calls) })
            groups += 1
            if (groups % storeLimits.sqliteCheckpointEvery === 0 && host.checkpoint('passive') > storeLimits.sqliteLogPages) host.checkpoint('restart')
            break
          case 'checkpoint':
            reply({ kind: 'pages', pages: host.checkpoint(request.mode) })
            break
          case 'close':
            host.close()
            port.close()
            break
        }
      })
    })
    reply({ kind: 'ready' })
  })
}

function checkpointsOnly(path: string): SqliteHost {
  const database = new DatabaseSync(path, { timeout: 1_000 })
  return {
    run: () => [],
    checkpoint(mode) {
      const row = database.prepare(`PRAGMA wal_checkpoint(${mode === 'passive' ? 'PASSIVE' : 'RESTART'})`).get()
      return mode === 'restart' && Number(row?.['busy']) === 0 ? 0 : Math.max(0, Number(row?.['log'] ?? 0))
    },
    close: () => database.close(),
  }
}

if (parentPort !== null) serve(workerData as WorkerRole, parentPort)
