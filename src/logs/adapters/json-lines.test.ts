import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { LogLine } from '../log-line.ts'
import { createJsonLines } from './json-lines.ts'

const folder = mkdtempSync(join(tmpdir(), 'log-'))
const path = join(folder, 'log')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const line = (urgency: LogLine['urgency'], message: string): LogLine => ({ urgency, event: 'CONFIGURATION', component: 'hybrid-router', message, correlationId: 'cor_1', fields: { answer: 42 } })

describe('the log as JSON lines', () => {
  it('writes what is urgent enough, one object a line, and all of it by the time it was flushed', async () => {
    const file = openSync(path, 'w')
    const log = createJsonLines(file, 'warn')
    log.write(line('info', 'too quiet'))
    log.write(line('warn', 'a "quoted"\nmessage'))
    log.setLevel('info')
    log.write(line('info', 'now heard'))
    await log.flush()
    closeSync(file)
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n').map((text) => JSON.parse(text) as Record<string, unknown>)
    expect(lines.map((each) => each['message'])).toEqual(['a "quoted"\nmessage', 'now heard'])
    expect(lines[0]).toMatchObject({ level: 'warn', event: 'CONFIGURATION', component: 'hybrid-router', correlationId: 'cor_1', answer: 42 })
    expect(String(lines[0]?.['time'])).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  it('keeps the order of lines over what is handed on at once, what is urgent and what waits', async () => {
    const file = openSync(path, 'w')
    const log = createJsonLines(file, 'info')
    const count = 1_000
    for (let number = 0; number < count; number += 1) log.write(line(number % 300 === 299 ? 'error' : 'info', `line ${number}`))
    await log.flush()
    closeSync(file)
    const messages = readFileSync(path, 'utf8').trimEnd().split('\n').map((text) => (JSON.parse(text) as { message: string }).message)
    expect(messages).toEqual(Array.from({ length: count }, (_, number) => `line ${number}`))
  })

  it('brings out what has waited when the process ends at once', () => {
    const file = openSync(path, 'w')
    const log = createJsonLines(file, 'info')
    log.write(line('info', 'the last words'))
    log.flushNow()
    closeSync(file)
    expect(readFileSync(path, 'utf8')).toContain('the last words')
  })

  it('counts each line that nobody takes', () => {
    const file = openSync('/dev/full', 'w')
    const log = createJsonLines(file, 'info')
    const long = 'x'.repeat(1_000_000)
    for (let number = 0; number < 20; number += 1) log.write(line('info', long))
    expect(log.dropped?.()).toBe(20 - 16)
    closeSync(file)
  })
})
