/**
 * The version of the program, stated once, in its package. It is read and not imported, because the file lies outside the
 * source and keeps its place beside the emitted JavaScript.
 */
import { readFileSync } from 'node:fs'

const packageJson: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

export const version: string =
  typeof packageJson === 'object' && packageJson !== null && 'version' in packageJson && typeof packageJson.version === 'string' ? packageJson.version : '0.0.0'
