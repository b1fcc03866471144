/**
 * What the documents claim and a test can hold: links lead somewhere, files that are named exist, the README's table is the
 * matrix, and its two commands are there.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runbookMatrix } from '../src/operation/matrix.ts'

const root = resolve(import.meta.dirname, '..')
const skipped = new Set(['node_modules', '.git', '.runtime', 'dist', 'data', 'coverage'])

function documents(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return documents(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

const pages = documents(root).map((path) => ({ path, name: relative(root, path), text: readFileSync(path, 'utf8') }))

describe('the documents', () => {
  it('are found', () => {
    expect(pages.map((page) => page.name)).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/configuration.md']))
  })

  it('link only to what is there', () => {
    const dead = pages.flatMap(({ path, name, text }) =>
      [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((link) => !/^(?:https?|mailto):/.test(link) && !existsSync(resolve(dirname(path), link)))
        .map((link) => `${name}: ${link}`),
    )
    expect(dead).toEqual([])
  })

  it('name only source files that are there', () => {
    const named = pages.flatMap(({ name, text }) => [...text.matchAll(/`((?:[\w-]+\/)+[\w.-]+\.(?:ts|mjs|sh|yaml|json))`/g)].map((match) => ({ name, file: match[1] ?? '' })))
    expect(named.length).toBeGreaterThan(20)
    const missing = named.filter(({ name, file }) => [root, join(root, 'src'), join(root, dirname(name))].every((folder) => !existsSync(join(folder, file))))
    expect(missing).toEqual([])
  })
})

describe('the README', () => {
  const readme = pages.find((page) => page.name === 'README.md')?.text ?? ''

  it('shows the matrix that the program has', () => {
    const rows = [...readme.matchAll(/^\| `(\w+)` \| (\w+) \| < (\d+) s \| (\w+) \| (\w+) \|$/gm)].map(([, type, priority, seconds, route, fallback]) => [
      type,
      { priority, latencyMs: Number(seconds) * 1_000, route: route?.toLowerCase(), fallback: fallback?.toLowerCase() },
    ])
    const matrix = Object.entries(runbookMatrix).map(([type, { priority, latencyMs, route, fallback }]) => [type, { priority, latencyMs, route, fallback }])
    expect(rows).toEqual(matrix)
  })

  it('has exactly two commands that do all the set-up', () => {
    const section = /## Two commands\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? ''
    expect([...section.matchAll(/```sh\n([\s\S]*?)\n```/g)].map((match) => match[1])).toEqual(['./hybrid-routing demo', 'npm test'])
  })
})
