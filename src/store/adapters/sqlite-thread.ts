/**
 * A worker thread of the SQLite engine as its owner sees it: one request at a time, each with an answer, and a clear
 * refusal of all when the thread is gone. The thread does not keep the process alive.
 */
import { Worker } from 'node:worker_threads'
import { StoreError } from '../store-error.ts'
import type { WorkerReply, WorkerRequest, WorkerRole } from './sqlite-worker.ts'

export interface SqliteThread {
  ask(request: Exclude<WorkerRequest, { ask: 'close' }>): Promise<WorkerReply>
  close(): Promise<void>
}

export async function startSqliteThread(role: WorkerRole): Promise<SqliteThread> {
  // The build rewrites imports, not addresses: the worker has the ending that this file has.
  const worker = new Worker(new URL(`./sqlite-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url), { workerData: role, execArgv: [] })
  let waiting: { readonly resolve: (reply: WorkerReply) => void; readonly reject: (error: StoreError) => void } | undefined
  let gone: StoreError | undefined

  const end = (error: StoreError): void => {
    gone ??= error
    waiting?.reject(gone)
    waiting = undefined
  }
  worker.on('message', (reply: WorkerReply) => {
    const { resolve, reject } = waiting ?? {}
    waiting = undefined
    if (reply.kind === 'failed') reject?.(new StoreError(reply.fault, reply.message))
    else resolve?.(reply)
  })
  worker.on('error', (error) => end(new StoreError('unavailable', 'The thread of the store has failed: restart the service.', error)))
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      end(new StoreError('unavailable', 'The thread of the store has ended: restart the service.'))
      resolve()
    })
  })
  const reply = (): Promise<WorkerReply> =>
    new Promise((resolve, reject) => {
      if (gone === undefined) waiting = { resolve, reject }
      else reject(gone)
    })

  try {
    await reply()
  } catch (error) {
    await worker.terminate()
    throw error
  }
  worker.unref()

  return {
    ask(request) {
      const answered = reply()
      // A thread that is not referenced would let the process end with an answer outstanding.
      worker.ref()
      worker.postMessage(request, [])
      return answered.finally(() => worker.unref())
    },
    async close() {
      worker.ref()
      worker.postMessage({ ask: 'close' } satisfies WorkerRequest, [])
      await exited
    },
  }
}
