/**
 * A stdio server as a child process of ours. The SDK's own transport would do for the happy path; this one adds what a
 * service needs: the child leads a process group, so that what a package runner started dies with it; closing has an end
 * (input closed, SIGTERM, SIGKILL, each with its limit) and resolves when the process is gone; a message that is too large
 * is told apart from a crash; error output is kept bounded and redacted, and never printed.
 *
 * The SDK probes the wire era on the connection itself for transports of this shape (`pid` and `stderr`).
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { deserializeMessage, serializeMessage } from '@modelcontextprotocol/client'
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client'
import { getDefaultEnvironment } from '@modelcontextprotocol/client/stdio'
import { sleep } from '../../runtime/clock.ts'
import type { Clock } from '../../runtime/clock.ts'
import { mcpLimits } from '../limits.ts'
import type { StdioServerSettings } from '../settings.ts'
import { createStderrTail } from './stderr-tail.ts'

export interface StdioTransport extends Transport {
  readonly pid: number | null
  /** Always null: error output is not for readers. Present so that the SDK knows the shape. */
  readonly stderr: null
  /** True when the connection ended because a message exceeded the limit. */
  oversized(): boolean
  /** Whether the child is gone, with all that it wrote. */
  hasEnded(): boolean
  stderrTail(): string
  /** Kills the whole group at once, synchronously: for a process that is about to exit. */
  kill(): void
}

export function createStdioTransport(settings: StdioServerSettings, clock: Clock): StdioTransport {
  const tail = createStderrTail(Object.values(settings.env ?? {}))
  let child: ChildProcess | null = null
  let exited: Promise<void> | null = null
  let tooLarge = false
  let closed = false
  let closing = false
  let chunks: Buffer[] = []
  let bufferedBytes = 0

  const signalGroup = (signal: NodeJS.Signals): void => {
    if (child?.pid === undefined) return
    try {
      process.kill(-child.pid, signal)
    } catch {
      // The group is gone already: that is what was wanted.
    }
  }

  const ended = (): void => {
    if (closed) return
    closed = true
    // What the child started and left behind holds our pipes open and would outlive us.
    signalGroup('SIGKILL')
    child?.stdout?.destroy()
    child?.stderr?.destroy()
    child?.stdin?.destroy()
    transport.onclose?.()
  }

  const deliver = (line: string): void => {
    if (line.trim() === '') return
    let message: JSONRPCMessage
    try {
      message = deserializeMessage(line)
    } catch (error) {
      // Servers print to stdout what belongs on stderr. A line that is no message is skipped, not fatal.
      transport.onerror?.(error instanceof Error ? error : new Error('not a JSON-RPC message'))
      return
    }
    transport.onmessage?.(message)
  }

  const read = (chunk: Buffer): void => {
    let rest = chunk
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      chunks.push(rest.subarray(0, end))
      const line = Buffer.concat(chunks).toString('utf8')
      chunks = []
      bufferedBytes = 0
      rest = rest.subarray(end + 1)
      deliver(line)
    }
    if (rest.length === 0) return
    chunks.push(rest)
    bufferedBytes += rest.length
    if (bufferedBytes <= mcpLimits.resultBytes) return
    tooLarge = true
    chunks = []
    bufferedBytes = 0
    signalGroup('SIGKILL')
  }

  const transport: StdioTransport = {
    get pid() {
      return child?.pid ?? null
    },
    stderr: null,
    oversized: () => tooLarge,
    hasEnded: () => closed,
    stderrTail: () => tail.text(),
    kill: () => signalGroup('SIGKILL'),

    start() {
      // Closed while the SDK was still preparing: a child that starts now would have no owner.
      if (closing) return Promise.reject(new Error('closed before it was started'))
      return new Promise<void>((resolve, reject) => {
        const started = spawn(settings.command, settings.args ?? [], {
          env: { ...getDefaultEnvironment(), ...settings.env },
          stdio: ['pipe', 'pipe', 'pipe'],
          shell: false,
          detached: true,
          windowsHide: true,
          ...(settings.cwd === undefined ? {} : { cwd: settings.cwd }),
        })
        child = started
        exited = new Promise((gone) => {
          started.once('exit', () => {
            gone()
            // Let what was written before the end be read first; a helper that holds the pipe must not delay it for ever.
            started.stdout.once('close', ended)
            clock.schedule(clock.monotonicMs() + mcpLimits.answerGraceMs, ended)
          })
          started.once('error', () => gone())
        })
        started.once('spawn', () => resolve())
        started.once('error', (error) => {
          reject(error)
          ended()
        })
        started.stdout.on('data', read)
        started.stdout.on('error', (error) => transport.onerror?.(error))
        started.stdin.on('error', (error) => transport.onerror?.(error))
        started.stderr.on('data', (chunk: Buffer) => tail.add(chunk))
        started.stderr.on('error', (error) => transport.onerror?.(error))
      })
    },

    send(message) {
      return new Promise((resolve, reject) => {
        if (child?.stdin?.writable !== true) {
          reject(new Error('the child process is gone'))
          return
        }
        child.stdin.write(serializeMessage(message), (error) => {
          if (error == null) resolve()
          else reject(error)
        })
      })
    },

    async close() {
      closing = true
      if (exited === null || closed) return
      child?.stdin?.end()
      const gone = exited
      const leftWithin = async (durationMs: number): Promise<boolean> => {
        const waiting = new AbortController()
        const left = await Promise.race([
          gone.then(() => true),
          sleep(clock, durationMs, waiting.signal).then(
            () => false,
            () => true,
          ),
        ])
        waiting.abort()
        return left
      }
      if (!(await leftWithin(mcpLimits.stdioLeaveMs))) {
        signalGroup('SIGTERM')
        if (!(await leftWithin(mcpLimits.stdioTerminateMs))) signalGroup('SIGKILL')
      }
      await gone
      ended()
    },
  }
  return transport
}
