import { spawn } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** This repository. */
export const ROOT: string = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

/** How a program ended, and what it said on stdout and stderr. */
export interface Outcome {
  readonly code: number | null
  readonly output: string
}

/** A throw-away clone: copies of our scripts, files of the test's own, and removal at its end. */
export class Fixture {
  readonly root: string

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.root = realpathSync(mkdtempSync(path.join(tmpdir(), 'keymux-scripts-')))
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true, maxRetries: 5 }))
    for (const [name, content] of Object.entries(files)) this.write(name, content)
  }

  write(name: string, content: string): void {
    const target = path.join(this.root, name)
    mkdirSync(path.dirname(target), { recursive: true })
    writeFileSync(target, content)
  }

  /** Copies a file of this repository to the same place. */
  copy(...names: readonly string[]): void {
    for (const name of names) cpSync(path.join(ROOT, name), path.join(this.root, name))
  }

  /** Lends this repository's installed packages. */
  linkPackages(): void {
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(this.root, 'node_modules'), 'junction')
  }

  /** Makes this package importable by its name, as it was built last. */
  linkSelf(): void {
    const { name } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { name: string }
    mkdirSync(path.join(this.root, 'node_modules'))
    symlinkSync(ROOT, path.join(this.root, 'node_modules', name), 'junction')
  }

  /** Runs a script with this Node, in the fixture. */
  node(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, {
        cwd: this.root,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let output = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text
        })
      }
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, output }))
    })
  }
}
