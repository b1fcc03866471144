/**
 * Groups the calls of many callers into transactions.
 *
 * On this thread (`process`): the first call of a turn of the event loop is carried out at once, those that come with it
 * are groups at the ends of this turn and the next ones, small enough that requests in between do not wait. On the worker (`power`): while one group syncs, the next one gathers, so that the
 * groups grow with the load by themselves.
 */
import assert from 'node:assert'
import { storeLimits } from '../limits.ts'
import { StoreError } from '../store-error.ts'
import type { HostAnswer, HostCall, SqliteHost } from './sqlite-host.ts'
import { startSqliteThread, type SqliteThread } from './sqlite-thread.ts'

export interface SqliteExecutor {
  submit(call: HostCall): Promise<unknown>
  /** Carries out what was submitted, then closes. */
  close(): Promise<void>
}

interface Pending {
  readonly call: HostCall
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

export function createLocalExecutor(host: SqliteHost, path: string): SqliteExecutor {
  let pending: Pending[] = []
  let scheduled = false
  let paused = false
  let closed = false
  let groups = 0
  let checkpoints: Promise<void> | undefined
  let thread: SqliteThread | undefined

  const runGroup = (group: readonly Pending[]): void => {
    settle(group, host.run(group.map(({ call }) => call)))
    groups += 1
    if (groups >= storeLimits.sqliteCheckpointEvery && checkpoints === undefined && !closed) {
      groups = 0
      checkpoints = checkpoint().finally(() => {
        checkpoints = undefined
      })
    }
  }

  const checkpoint = async (): Promise<void> => {
    try {
      thread ??= await startSqliteThread({ role: 'checkpoints', path })
      const reply = await thread.ask({ ask: 'checkpoint', mode: 'passive' })
      if (reply.kind === 'pages' && reply.pages > storeLimits.sqliteLogPages) {
        // Calls wait meanwhile; the thread they were made on does not.
        paused = true
        await thread.ask({ ask: 'checkpoint', mode: 'restart' })
      }
    } catch {
      // The log grows until the next attempt, with a new thread; when the disk is the reason, the calls themselves say so.
      thread = undefined
    } finally {
      paused = false
      schedule()
    }
  }

  const flush = (): void => {
    scheduled = false
    if (paused || pending.length === 0) return
    const group = pending.slice(0, storeLimits.sqliteGroupHere)
    pending = pending.slice(storeLimits.sqliteGroupHere)
    runGroup(group)
    schedule()
  }

  const schedule = (): void => {
    if (scheduled || paused || pending.length === 0) return
    scheduled = true
    setImmediate(flush)
  }

  return {
    submit: (call) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new StoreError('closed', 'The store is closed.'))
        } else if (scheduled || paused || pending.length > 0) {
          pending.push({ call, resolve, reject })
          schedule()
        } else {
          scheduled = true
          setImmediate(flush)
          runGroup([{ call, resolve, reject }])
        }
      }),
    async close() {
      if (closed) return
      closed = true
      await checkpoints
      while (pending.length > 0) flush()
      await thread?.close()
      host.close()
    },
  }
}

export function createThreadExecutor(thread: SqliteThread): SqliteExecutor {
  let pending: Pending[] = []
  let running: Promise<void> | undefined
  let closed = false

  const runAll = async (): Promise<void> => {
    // Those who submit in the same turn come along.
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    while (pending.length > 0) {
      const group = pending.slice(0, storeLimits.sqliteGroup)
      pending = pending.slice(storeLimits.sqliteGroup)
      try {
        const reply = await thread.ask({ ask: 'run', calls: group.map(({ call }) => call) })
        assert(reply.kind === 'answers', 'a group of calls has answers')
        settle(group, reply.answers)
      } catch (error) {
        for (const { reject } of group) reject(error as Error)
      }
    }
  }

  return {
    submit: (call) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new StoreError('closed', 'The store is closed.'))
          return
        }
        pending.push({ call, resolve, reject })
        running ??= runAll().finally(() => {
          running = undefined
        })
      }),
    async close() {
      if (closed) return
      closed = true
      await running
      await thread.close()
    },
  }
}

function settle(group: readonly Pending[], answers: readonly HostAnswer[]): void {
  group.forEach(({ resolve, reject }, index) => {
    const answer = answers[index]
    if (answer === undefined) reject(new StoreError('unavailable', 'The store gave no answer.'))
    else if ('value' in answer) resolve(answer.value)
    else if (answer.fault === 'assertion') reject(new assert.AssertionError({ message: answer.message }))
    else reject(new StoreError(answer.fault, answer.message))
  })
}
