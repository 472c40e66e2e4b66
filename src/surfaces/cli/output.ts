import { printable, printableJson } from '../../domain/printable.js'
import type { TextSink } from './streams.js'
import { outsideStyle } from './style.js'

/** How to speak. */
export interface OutputMode {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
}

/**
 * The one way in which commands print. Results go to standard output; notes go to standard error and
 * stay away with `--quiet` and with `--json`, where standard error holds nothing but an error.
 */
export class Output {
  readonly json: boolean
  readonly #mode: OutputMode
  readonly #stdout: TextSink
  readonly #stderr: TextSink

  constructor(stdout: TextSink, stderr: TextSink, mode: OutputMode) {
    this.json = mode.json
    this.#mode = mode
    this.#stdout = stdout
    this.#stderr = stderr
  }

  /** Cells to lay tables out in; undefined where the output is no terminal and nothing should be cut. */
  get width(): number | undefined {
    return this.#stdout.columns
  }

  /** Whether people look at standard output. */
  get isTTY(): boolean {
    return this.#stdout.isTTY
  }

  /** Whether the reader of standard output has gone: a command that prints for ever should end. */
  get closed(): boolean {
    return this.#stdout.closed
  }

  /** The command's result: `value` as one JSON document with `--json`, else `text()` and a line feed. */
  result(value: unknown, text: () => string): void {
    if (this.json) this.document(value)
    else this.text(text())
  }

  /** One JSON document and a line feed: indented for people, on one line for programs. */
  document(value: unknown): void {
    this.#stdout.write(`${printableJson(JSON.stringify(value, null, this.#stdout.isTTY ? 2 : 0))}\n`)
  }

  /** One JSON document on one line, for commands that print several (events). */
  event(value: unknown): void {
    this.#stdout.write(`${printableJson(JSON.stringify(value))}\n`)
  }

  /** Text for people and a line feed. Nothing in it but the style's own sequences reaches the terminal. */
  text(text: string): void {
    this.#stdout.write(`${outsideStyle(text, printable)}\n`)
  }

  /**
   * A credential or secret alone and a line feed, byte for byte; on a terminal, characters that it would
   * obey are escaped (line feeds and tabs are not).
   */
  raw(text: string): void {
    const shown = this.#stdout.isTTY ? text.replace(/[^\n\t]+/g, (part) => printable(part)) : text
    this.#stdout.write(`${shown}\n`)
  }

  /** A line to people on standard error. */
  note(text: string): void {
    if (!this.#mode.quiet && !this.json) this.#stderr.write(`${outsideStyle(text, printable)}\n`)
  }

  /** A note for those who asked with `--verbose`. */
  detail(text: string): void {
    if (this.#mode.verbose) this.note(text)
  }

  /** Clears the terminal before a redraw. */
  clear(): void {
    if (this.#stdout.isTTY) this.#stdout.write('\u001b[H\u001b[2J\u001b[3J')
  }
}
