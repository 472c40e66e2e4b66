// Child processes for the scripts. Nothing but Node's own modules: the bootstrap uses this as well.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { ROOT } from './entries.mjs'

/**
 * Runs a program in the repository's root and gives `{ code, output }`. With `capture` its output is
 * collected, else it goes to our stderr. `options` are those of `spawn`.
 */
export function run(program, args, { capture = false, ...options } = {}) {
  return new Promise((resolve) => {
    const stdio = capture ? ['ignore', 'pipe', 'pipe'] : ['ignore', 2, 2]
    const child = spawn(program, args, { cwd: ROOT, stdio, ...options })
    const stop = () => child.kill()
    process.once('exit', stop)
    const chunks = []
    child.stdout?.on('data', (chunk) => chunks.push(chunk))
    child.stderr?.on('data', (chunk) => chunks.push(chunk))
    const done = (code, problem = '') => {
      process.off('exit', stop)
      resolve({ code, output: Buffer.concat(chunks).toString('utf8') + problem })
    }
    child.on('error', (error) => done(127, `cannot run ${program}: ${error.message}\n`))
    child.on('close', (code) => done(code ?? 1))
  })
}

/** Runs a script of ours or of a package with this Node. */
export function runNode(args, options) {
  return run(process.execPath, args, options)
}

/** Runs npm: the one that runs us when there is one, for its script needs no shell, on Windows neither. */
export function runNpm(args, options) {
  const script = process.env.npm_execpath
  if (script !== undefined && path.basename(script) === 'npm-cli.js')
    return runNode([script, ...args], options)
  return process.platform === 'win32'
    ? run('npm.cmd', args, { ...options, shell: true })
    : run('npm', args, options)
}
