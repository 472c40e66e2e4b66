// Makes a clone ready for use: installs the dependencies and builds dist, each only when it is needed.
// It runs before anything is installed, so it imports nothing but Node's own modules.
// `--install-only` leaves the build out.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from './entries.mjs'
import { withLock } from './lock.mjs'
import { runNode, runNpm } from './processes.mjs'
import { isBuildFresh } from './stamp.mjs'

const PLATFORM = `${process.platform}-${process.arch}-`
const MINIMUM = [20, 19]
const LOCKFILE = path.join(ROOT, 'package-lock.json')
const INSTALLED = path.join(ROOT, 'node_modules', '.package-lock.json')
const STAMP = path.join(ROOT, 'node_modules', '.keymux-install')

async function main() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1])) {
    say(`Node.js ${MINIMUM.join('.')} or later is needed, this is ${process.versions.node}`)
    return 1
  }
  if (!isInstalled()) {
    const code = await withLock(async () => (isInstalled() ? 0 : install()))
    if (code !== 0) return code
  }
  if (process.argv.includes('--install-only') || isBuildFresh()) return 0
  return (await runNode(['scripts/build.mjs', '--js-only', '--if-stale'])).code
}

/** Whether node_modules holds what the lockfile says, for this platform. */
function isInstalled() {
  if (!existsSync(INSTALLED)) return false
  const stamp = existsSync(STAMP) ? readFileSync(STAMP, 'utf8') : PLATFORM
  if (stamp === installDigest()) return true
  if (!stamp.startsWith(PLATFORM) || !matchesLockfile()) return false
  // somebody ran npm by hand, and all is there
  writeFileSync(STAMP, installDigest())
  return true
}

function installDigest() {
  const lockfile = createHash('sha256').update(readFileSync(LOCKFILE)).digest('hex')
  return `${PLATFORM}${lockfile}\n`
}

/** Compares npm's own record of what it installed; packages of other platforms are rightly absent. */
function matchesLockfile() {
  const wanted = JSON.parse(readFileSync(LOCKFILE, 'utf8')).packages
  const present = JSON.parse(readFileSync(INSTALLED, 'utf8')).packages
  return Object.entries(wanted).every(
    ([folder, { version, optional }]) =>
      folder === '' || (optional === true && !(folder in present)) || present[folder]?.version === version,
  )
}

/** No package's install script is needed, so none is run. */
async function install() {
  say('installing dependencies (npm ci)')
  const startedAt = performance.now()
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional']
  const quiet = ['--no-audit', '--no-fund', '--no-progress', '--loglevel=error']
  const { code } = await runNpm([...args, ...quiet])
  if (code !== 0) {
    say(`npm ci failed with exit code ${code}`)
    return code
  }
  writeFileSync(STAMP, installDigest())
  say(`installed in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
  return 0
}

function say(message) {
  process.stderr.write(`keymux: ${message}\n`)
}

process.exitCode = await main()
