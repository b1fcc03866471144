/**
 * The configuration file on disk: reading it once, bounded. Reading is synchronous: it happens at the start, and on a
 * reload for a file that is a few kilobytes, and a snapshot must be of one moment.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import type { FieldError } from '../../operation/problem.ts'
import { configFileBytes } from '../limits.ts'

export type FileText = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'absent' } | { readonly kind: 'unreadable'; readonly error: FieldError }

export function readConfigFile(path: string): FileText {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { kind: 'absent' }
    return unreadable(path, `cannot be opened (${codeOf(error)})`)
  }
  try {
    const status = fstatSync(descriptor)
    if (!status.isFile()) return unreadable(path, 'is not a file')
    if (status.size > configFileBytes) return unreadable(path, `has ${status.size} bytes; at most ${configFileBytes} are read`)
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(readFileSync(descriptor))
    return { kind: 'text', text }
  } catch (error) {
    return unreadable(path, error instanceof TypeError ? 'is not UTF-8' : `cannot be read (${codeOf(error)})`)
  } finally {
    closeSync(descriptor)
  }
}

function unreadable(path: string, message: string): FileText {
  return { kind: 'unreadable', error: { path, message } }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}
