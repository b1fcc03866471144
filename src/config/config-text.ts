/**
 * From the text of a configuration file to a plain value: YAML 1.2, of which JSON is a part. Faults carry the line; a member
 * that is written twice is one of them, because the first would be lost silently. What is read is bounded: the size, and
 * how often aliases may multiply a block.
 *
 * It must not know what a configuration holds. Messages are made here and never quote the text, which may hold secrets.
 */
import { isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml'
import type { FieldError } from '../operation/problem.ts'
import { configAliases, configFaults, configFileBytes, shownValueLength } from './limits.ts'

export type ParsedText = { readonly kind: 'value'; readonly value: unknown } | { readonly kind: 'faulty'; readonly errors: readonly FieldError[] }

/** What the YAML library's codes mean to whoever wrote the file; other codes are named as they are. */
const explanations: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'is indented with a tab; YAML wants spaces',
  BAD_INDENT: 'is indented in a way that fits no member above it, or comes after a bracket or brace that is not closed',
  MISSING_CHAR: 'misses a character, such as a closing quote or bracket',
  UNEXPECTED_TOKEN: 'has something that does not belong there',
  MULTILINE_IMPLICIT_KEY: 'has a member name that runs over the end of the line; is a ":" missing?',
  TAG_RESOLVE_FAILED: 'has a tag (!…) that is not known here',
  RESOURCE_EXHAUSTION: 'is nested too deeply',
  MULTIPLE_DOCS: 'begins a second document; one file holds one',
}

export function parseConfigText(text: string): ParsedText {
  if (text.length > configFileBytes) return faulty([{ path: '', message: `the file has more than ${configFileBytes} characters` }])
  const lines = new LineCounter()
  try {
    const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false, merge: false } as const
    const document = parseDocument(text.startsWith('\uFEFF') ? text.slice(1) : text, options)
    const faults = [...document.errors, ...document.warnings].slice(0, configFaults).map((error) => ({
      path: `line ${lines.linePos(error.pos[0]).line}`,
      message: explanations[error.code] ?? `is not valid YAML (${error.code})`,
    }))
    if (faults.length === 0) faults.push(...repeatedMembers(document, lines))
    if (faults.length > 0) return faulty(faults)
    return { kind: 'value', value: document.toJS({ maxAliasCount: configAliases }) as unknown }
  } catch (error) {
    // The library throws a ReferenceError for aliases that multiply, and the engine a RangeError for absurd nesting.
    const reason = error instanceof RangeError ? 'is nested too deeply' : `has unknown aliases (*name), or aliases that stand for more than ${configAliases} blocks`
    return faulty([{ path: '', message: `the file ${reason}` }])
  }
}

/** The library's own check compares every name with every other: a file of 60,000 names would stop the process for a minute. */
function repeatedMembers(document: Document, lines: LineCounter): FieldError[] {
  const faults: FieldError[] = []
  visit(document, {
    Map(_key, map) {
      const names = new Set<string>()
      for (const { key } of map.items) {
        const name = isScalar(key) ? String(key.value) : null
        const line = `line ${lines.linePos(isScalar(key) ? (key.range?.[0] ?? 0) : (map.range?.[0] ?? 0)).line}`
        if (name === null) faults.push({ path: line, message: 'has a member whose name is not a text' })
        else if (names.has(name)) faults.push({ path: line, message: `${JSON.stringify(name.slice(0, shownValueLength))} is there twice in the same group; only one can hold` })
        else names.add(name)
        if (faults.length >= configFaults) return visit.BREAK
      }
      return undefined
    },
  })
  return faults
}

function faulty(errors: readonly FieldError[]): ParsedText {
  return { kind: 'faulty', errors }
}
