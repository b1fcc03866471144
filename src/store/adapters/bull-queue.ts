/**
 * One BullMQ queue as the redis engine uses it: jobs in waiting order, locks with tokens, the stalled check, delayed and
 * failed jobs. It speaks to BullMQ's backend, the layer of scripts below `Queue`, `Worker` and `Job`: those objects are made
 * for a processor that BullMQ itself runs, read a lock's length once per worker, open a second connection each, and cost
 * more time than the scripts.
 *
 * It knows nothing of messages: a job is an id, a text and what BullMQ counts.
 */
import { QueueKeys, RedisQueueBackend, type JobJson, type MinimalJob, type RedisConnection } from 'bullmq'

export interface BullJob {
  /** As the caller named it. */
  readonly id: string
  readonly text: string
  readonly addedAtMs: number
  /** How often it was claimed. */
  readonly starts: number
  readonly failedReason: string
}

export type BullState = 'waiting' | 'delayed' | 'active' | 'failed' | 'absent'

export interface BullQueue {
  /** Does nothing when the id is there. */
  add(id: string, text: string): Promise<void>
  /** The next job, locked for `lockMs`, unless none waits. */
  claim(token: string, lockMs: number): Promise<BullJob | undefined>
  read(id: string): Promise<BullJob | undefined>
  state(id: string): Promise<BullState>
  /** Replaces the text, whoever has the job. */
  update(id: string, text: unknown): Promise<void>
  // Those who hold the lock. Each throws what `isLost` recognises when the lock is gone or somebody else's.
  renew(id: string, token: string, lockMs: number): Promise<boolean>
  complete(id: string, token: string): Promise<void>
  fail(id: string, token: string, reason: string): Promise<void>
  delay(id: string, token: string, delayMs: number): Promise<void>
  putBack(id: string, token: string): Promise<void>
  /** Lets a delayed job wait for its turn at once; throws what `isLost` recognises when it is not delayed. */
  promote(id: string): Promise<void>
  /** False when it is not there, or locked. */
  remove(id: string): Promise<boolean>
  /** Puts back the jobs whose locks ran out; the second look at one does. */
  recoverStalled(): Promise<void>
  count(): Promise<{ readonly waiting: number; readonly delayed: number; readonly active: number; readonly failed: number }>
  failed(limit: number): Promise<readonly BullJob[]>
  /** The server's keys: of the waiting list, of the delayed jobs, what a job's key begins with, and that of a job. */
  readonly keys: { readonly wait: string; readonly delayed: string; readonly prefix: string; job(id: string): string }
}

/** Events of a queue that the server keeps: BullMQ writes some for every step, and nobody reads them here. */
const keptEvents = 100

export function createBullQueue(connection: RedisConnection, prefix: string, name: string, stalledCheckMs: number): BullQueue {
  const queueKeys = new QueueKeys(prefix)
  const keys = queueKeys.getKeys(name)
  const toKey = (type: string): string => queueKeys.toKey(name, type)
  const backendFor = (lockDuration: number): RedisQueueBackend => {
    // A job may stall as often as it likes: when it has to die is the caller's to say.
    const options = { connection: {}, prefix, lockDuration, stalledInterval: stalledCheckMs, maxStalledCount: 1_000_000 }
    return new RedisQueueBackend(connection, name, keys, toKey, options, undefined, false)
  }
  const backend = backendFor(stalledCheckMs)
  /** BullMQ reads the length of a lock from the options of a backend, which is a few references: there is one for each length. */
  const claimers = new Map<number, RedisQueueBackend>()
  const claimer = (lockMs: number): RedisQueueBackend => {
    let found = claimers.get(lockMs)
    if (found === undefined) {
      if (claimers.size >= keptClaimers) claimers.clear()
      found = backendFor(lockMs)
      claimers.set(lockMs, found)
    }
    return found
  }
  const read = async (id: string): Promise<BullJob | undefined> => {
    const json = await backend.getJobData(jobId(id))
    return json === undefined ? undefined : toJob(id, json)
  }
  backend.setQueueMeta({ 'opts.maxLenEvents': keptEvents }).catch(() => {
    // Then it is BullMQ's own number.
  })

  return {
    async add(id, text) {
      await backend.addJob({ ...blankJob, data: text, timestamp: Date.now() }, jobId(id))
    },
    async claim(token, lockMs) {
      const [json, id] = (await claimer(Math.ceil(lockMs)).moveToActive(token)) as [JobJson | null, string]
      return json === null ? undefined : toJob(callersId(id), json)
    },
    read,
    async state(id) {
      const state = await backend.getState(jobId(id))
      return state === 'waiting' || state === 'delayed' || state === 'active' || state === 'failed' ? state : 'absent'
    },
    update: (id, data) => backend.updateData(asJob(id), data),
    renew: async (id, token, lockMs) => (await backend.extendLock(jobId(id), token, Math.ceil(lockMs))) === 1,
    async complete(id, token) {
      await backend.moveToCompleted(asJob(id), null, true, token, false)
    },
    async fail(id, token, reason) {
      await backend.moveToFailed(asJob(id), reason, false, token, false)
    },
    async delay(id, token, delayMs) {
      await backend.moveToDelayed(jobId(id), Date.now(), Math.max(0, Math.ceil(delayMs)), token, { skipAttempt: true })
    },
    async putBack(id, token) {
      await backend.moveJobFromActiveToWait(jobId(id), token)
    },
    promote: (id) => backend.promote(jobId(id)),
    remove: async (id) => (await backend.remove(jobId(id), false)) === 1,
    async recoverStalled() {
      await backend.moveStalledJobsToWait()
    },
    async count() {
      const [waiting = 0, delayed = 0, active = 0, failed = 0] = await backend.getCounts(['waiting', 'delayed', 'active', 'failed'])
      return { waiting, delayed, active, failed }
    },
    async failed(limit) {
      const [ids = []] = (await backend.getRanges(['failed'], 0, limit - 1, true)) as string[][]
      const jobs = await Promise.all(ids.map((id) => read(callersId(id))))
      return jobs.filter((job) => job !== undefined)
    },
    keys: { wait: toKey('wait'), delayed: toKey('delayed'), prefix: toKey(''), job: (id) => toKey(jobId(id)) },
  }
}

/** Far more lengths of locks than any process uses. */
const keptClaimers = 16

const blankJob: JobJson = {
  id: '',
  name: 'message',
  data: '',
  opts: {},
  progress: 0,
  attemptsMade: 0,
  attemptsStarted: 0,
  stalledCounter: 0,
  timestamp: 0,
  failedReason: '',
  returnvalue: '',
}

/** What the scripts read of a job that is at hand: its id, and that no attempt of BullMQ's own follows. */
function asJob(id: string): MinimalJob {
  return { id: jobId(id), opts: { attempts: 1 } } as MinimalJob
}

function toJob(id: string, json: JobJson): BullJob {
  return { id, text: json.data, addedAtMs: json.timestamp, starts: json.attemptsStarted, failedReason: json.failedReason ?? '' }
}

/** BullMQ's keys put a colon after an id, and a whole number is an id of its own making. */
function jobId(id: string): string {
  return `m-${Buffer.from(id).toString('base64url')}`
}

function callersId(id: string): string {
  return Buffer.from(id.slice(2), 'base64url').toString()
}

/** BullMQ's own refusals (lock gone or another's, job gone or elsewhere) carry a negative code. */
export function isLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code < 0
}
