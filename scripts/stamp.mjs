import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from './entries.mjs'

/** Where a build leaves the digest of what it was made from. */
export const STAMP = path.join(ROOT, 'dist', '.stamp')

const BUILD_INPUTS = ['package.json', 'package-lock.json', 'scripts/build.mjs', 'scripts/entries.mjs']

/** A digest of everything the build depends on: sources without their tests, the build itself, versions. */
export function sourceDigest() {
  const hash = createHash('sha256')
  for (const file of [...BUILD_INPUTS, ...sources('src')]) {
    const absolute = path.join(ROOT, file)
    if (!existsSync(absolute)) continue
    const content = readFileSync(absolute)
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/** Whether dist was built from the present sources. */
export function isBuildFresh() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8').trim() === sourceDigest()
}

function sources(folder) {
  const found = []
  for (const entry of readdirSync(path.join(ROOT, folder), { withFileTypes: true })) {
    const relative = `${folder}/${entry.name}`
    if (entry.isDirectory()) found.push(...sources(relative))
    else if (!/\.test\.ts$/.test(entry.name)) found.push(relative)
  }
  return found.sort()
}
