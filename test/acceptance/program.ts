/**
 * Runs the program as a person does: through the launcher, in an empty working directory, with an environment of its own.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'

const launcher = resolve(import.meta.dirname, '../../hybrid-routing')

export interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Program {
  readonly child: ChildProcessWithoutNullStreams
  out(): string
  err(): string
  /** Resolves with the first match in standard output; rejects when the program ends without it. */
  untilOut(pattern: RegExp): Promise<RegExpExecArray>
  ended(): Promise<Run>
}

export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Starts the program and makes sure that it does not outlive the test. */
export function start(words: readonly string[], options: { readonly folder?: string; readonly environment?: Readonly<Record<string, string>> } = {}): Program {
  const child = spawn(launcher, words, {
    cwd: options.folder ?? emptyFolder(),
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...options.environment },
  })
  let out = ''
  let err = ''
  let code: number | null = null
  let over = false
  const watchers = new Set<() => void>()
  const changed = (): void => {
    for (const watcher of watchers) watcher()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    changed()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
    changed()
  })
  child.on('close', (status) => {
    over = true
    code = status
    changed()
  })
  onTestFinished(() => void child.kill('SIGKILL'))

  const until = <Value>(look: () => Value | undefined, missing: string): Promise<Value> =>
    new Promise((fulfil, reject) => {
      const check = (): void => {
        const found = look()
        if (found === undefined && !over) return
        watchers.delete(check)
        if (found === undefined) reject(new Error(`${missing}; it ended with ${String(code)}:\n${out}\n${err}`))
        else fulfil(found)
      }
      watchers.add(check)
      check()
    })

  return {
    child,
    out: () => out,
    err: () => err,
    untilOut: (pattern) => until(() => pattern.exec(out) ?? undefined, `the program did not print ${String(pattern)}`),
    ended: () => until<Run>(() => (over ? { code, out, err } : undefined), 'the program did not end'),
  }
}

export function run(words: readonly string[], options: { readonly folder?: string; readonly environment?: Readonly<Record<string, string>> } = {}): Promise<Run> {
  return start(words, options).ended()
}
