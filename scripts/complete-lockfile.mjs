/**
 * Adds to package-lock.json the optional platform packages that a registry mirror did not have when the lock was made.
 *
 * `npm ci` refuses a lock in which an optional dependency of a locked package has no entry at all, although it would
 * skip that entry on this platform anyway. The entries added here carry version and platform only: on the platforms
 * that are tested (linux x64 and arm64, glibc) none of them is installed.
 *
 *   node scripts/complete-lockfile.mjs [package-lock.json]
 */
import { readFileSync, writeFileSync } from 'node:fs'

const path = process.argv[2] ?? 'package-lock.json'
const lock = JSON.parse(readFileSync(path, 'utf8'))
const systems = ['linux', 'darwin', 'win32', 'freebsd', 'netbsd', 'openbsd', 'sunos', 'aix', 'android', 'openharmony', 'wasi']
const processors = ['x64', 'arm64', 'arm', 'ia32', 'riscv64', 'ppc64', 's390x', 'loong64', 'mips64el', 'wasm32']

/** The platform is written in the name: `@oxlint/binding-darwin-arm64` → darwin, arm64. */
function platformOf(name) {
  const words = name.split(/[/-]/).map((word) => (word === 'ppc64le' ? 'ppc64' : word))
  return {
    os: systems.find((system) => words.includes(system)),
    cpu: processors.find((processor) => words.includes(processor)),
  }
}

let added = 0
for (const [place, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${place}/node_modules/${name}`
    const hoisted = `node_modules/${name}`
    if (place === '' || lock.packages[nested] !== undefined || lock.packages[hoisted] !== undefined) continue
    const { os, cpu } = platformOf(name)
    if (os === undefined && cpu === undefined) throw new Error(`${path}: ${name}: no platform can be read from the name`)
    lock.packages[hoisted] = {
      version: range.replace(/^[~^]/, ''),
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
      ...(os === undefined ? {} : { os: [os] }),
      ...(cpu === undefined ? {} : { cpu: [cpu] }),
    }
    added += 1
  }
}
const root = lock.packages['']
lock.packages = Object.fromEntries([['', root], ...Object.entries(lock.packages).filter(([place]) => place !== '').sort(([a], [b]) => (a < b ? -1 : 1))])
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(`${path}: ${added} entries added\n`)
