/**
 * Tells that a file may have changed, however it is replaced: written in place, renamed over, or swapped behind a symbolic
 * link as Kubernetes does with a mounted ConfigMap (`file -> ..data/file`, `..data -> ..2026_01/`, and the new `..data` is
 * renamed over the old). Folders are watched and not files, because a watch on a file stays with the replaced one.
 *
 * Watched are the folders of every link on the way to the file, and of the file; they are looked up again after every
 * change. A call says "look again", not "it changed": something beside the file may have. What does not stand in the way
 * of another file of a busy folder is told apart by name.
 */
import { lstatSync, readlinkSync, watch, type FSWatcher } from 'node:fs'
import { join, resolve } from 'node:path'

/** Links that are followed; the kernel gives up at 40. */
const longestLinkChain = 40

export function watchConfigFile(path: string, onChange: () => void): () => void {
  let watchers = new Map<string, FSWatcher>()
  let names = new Map<string, Set<string>>()
  let closed = false

  const look = (): void => {
    names = foldersOf(path)
    const next = new Map<string, FSWatcher>()
    for (const folder of names.keys()) {
      const watcher = watchers.get(folder) ?? open(folder)
      if (watcher !== null) next.set(folder, watcher)
    }
    for (const [folder, watcher] of watchers) {
      if (!next.has(folder)) watcher.close()
    }
    watchers = next
  }

  const open = (folder: string): FSWatcher | null => {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (closed || (name !== null && names.get(folder)?.has(name) !== true)) return
        look()
        onChange()
      })
      // A folder that goes away ends its watch; a folder above still tells when another takes its place.
      watcher.on('error', () => watcher.close())
      return watcher
    } catch {
      // Not there at the moment, as between the two steps of a swap: found again when its link changes.
      return null
    }
  }

  look()
  return () => {
    closed = true
    for (const watcher of watchers.values()) watcher.close()
  }
}

/** The folders to watch, each with the names in it whose change matters. */
function foldersOf(path: string): Map<string, Set<string>> {
  const folders = new Map<string, Set<string>>()
  const note = (folder: string, name: string): void => {
    const names = folders.get(folder) ?? new Set()
    folders.set(folder, names.add(name))
  }
  let links = 0
  const follow = (parts: readonly string[]): void => {
    let at = '/'
    for (const [index, part] of parts.entries()) {
      const here = join(at, part)
      const isLast = index === parts.length - 1
      const target = linkTarget(here)
      if (target !== null || isLast) note(at, part)
      if (target !== null && links < longestLinkChain) {
        links += 1
        // From the top again: the target's own folders may be links too, as `..data` is.
        follow([...partsOf(resolve(at, target)), ...parts.slice(index + 1)])
        return
      }
      at = here
    }
  }
  follow(partsOf(resolve(path)))
  return folders
}

function partsOf(absolute: string): string[] {
  return absolute.split('/').filter((part) => part !== '')
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null
  } catch {
    // Absent for the moment: then it is no link.
    return null
  }
}
