/**
 * `serve` as a process of its own, for the tests that kill one or run two: started from a configuration, spoken to over HTTP,
 * killed as `kill -9` does. Its log goes to standard error, which is kept for the message of a test that fails.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { emulatorKeys } from '../../src/cli/emulator-credentials.ts'
import type { OperationResult } from '../../src/operation/result.ts'

export interface Spoken {
  readonly status: number
  readonly text: string
}

export interface ServiceProcess {
  readonly url: string
  /** The end of its log. */
  log(): string
  ask(method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Spoken>
  /** What a GET of JSON answers, whatever its status. */
  read<Body>(path: string): Promise<Body>
  /** An asynchronous operation; its id. */
  submit(body: object, headers?: Readonly<Record<string, string>>): Promise<string>
  result(id: string): Promise<OperationResult>
  kill(): Promise<void>
  /** Asks it to stop, as an orchestrator does; resolves with its exit code, or the signal that ended it. */
  terminate(): Promise<number | string>
}

const main = resolve(import.meta.dirname, '../../src/main.ts')

/** Resolves when it listens. */
export async function startServiceProcess(folder: string, name: string, config: object): Promise<ServiceProcess> {
  const file = join(folder, `${name}.json`)
  writeFileSync(file, JSON.stringify(config))
  const child = spawn(process.execPath, [main, 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], ...emulatorKeys } })
  const gone = once(child, 'exit')
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log = `${log}${chunk.toString()}`.slice(-20_000)))
  let text = ''
  let url: string | undefined
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString()
    url = /http:\/\/[\d.:]+/.exec(text)?.[0]
    if (url !== undefined) break
  }
  if (url === undefined) throw new Error(`serve ended before it listened: ${text}${log}`)
  const base = url

  const ask: ServiceProcess['ask'] = async (method, path, body, headers) => {
    const answer = await fetch(`${base}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, text: await answer.text() }
  }
  const read = async <Body>(path: string): Promise<Body> => JSON.parse((await ask('GET', path)).text) as Body
  return {
    url: base,
    log: () => log,
    ask,
    read,
    async submit(body, headers) {
      const { status, text: answer } = await ask('POST', '/v1/operations', { prompt: 'Is the disk full?', mode: 'async', maxTokens: 64, ...body }, headers)
      if (status !== 202) throw new Error(`${status} ${answer}\n${log}`)
      return (JSON.parse(answer) as OperationResult).id
    },
    result: (id) => read<OperationResult>(`/v1/operations/${id}`),
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
    async terminate() {
      child.kill('SIGTERM')
      const [code, signal] = (await gone) as [number | null, string | null]
      return code ?? signal ?? 'unknown'
    },
  }
}
