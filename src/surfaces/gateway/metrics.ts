/** Values of a metric's labels, in the order of its label names. */
type LabelValues = readonly string[]

interface Metric {
  render(): string
}

/** Series beyond this number are counted together under the label value `other`. */
const MOST_SERIES = 2_000
const OTHER = 'other'

/** The metrics of one gateway, in the Prometheus text format (version 0.0.4). */
export class Metrics {
  readonly #metrics: Metric[] = []

  counter(name: string, help: string, labels: readonly string[]): Counter {
    return this.#add(new Counter(name, help, labels))
  }

  /** @param bounds Upper bounds of the buckets, ascending. */
  histogram(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Histogram {
    return this.#add(new Histogram(name, help, labels, bounds))
  }

  render(): string {
    return this.#metrics.map((metric) => metric.render()).join('')
  }

  #add<T extends Metric>(metric: T): T {
    this.#metrics.push(metric)
    return metric
  }
}

/** Series by label values; their number is bounded, whatever callers send. */
class Series<T> {
  readonly #byKey = new Map<string, { readonly labels: LabelValues; readonly value: T }>()
  readonly #make: () => T

  constructor(make: () => T) {
    this.#make = make
  }

  at(labels: LabelValues): T {
    const found = this.#byKey.get(labels.length === 1 ? (labels[0] ?? '') : labels.join('\u0000'))
    return found === undefined ? this.#new(labels) : found.value
  }

  [Symbol.iterator](): IterableIterator<{ readonly labels: LabelValues; readonly value: T }> {
    return this.#byKey.values()
  }

  #new(labels: LabelValues): T {
    const kept = this.#byKey.size < MOST_SERIES ? labels : labels.map(() => OTHER)
    const key = kept.join('\u0000')
    const series = this.#byKey.get(key) ?? { labels: kept, value: this.#make() }
    this.#byKey.set(key, series)
    return series.value
  }
}

/** A number that only grows. */
export class Counter implements Metric {
  readonly #name: string
  readonly #help: string
  readonly #labels: readonly string[]
  readonly #series = new Series<{ count: number }>(() => ({ count: 0 }))

  constructor(name: string, help: string, labels: readonly string[]) {
    this.#name = name
    this.#help = help
    this.#labels = labels
  }

  add(...labels: string[]): void {
    this.#series.at(labels).count += 1
  }

  render(): string {
    const lines = [...this.#series].map(
      ({ labels, value }) => `${this.#name}${labelText(this.#labels, labels)} ${value.count}`,
    )
    return block(this.#name, this.#help, 'counter', lines)
  }
}

/** A distribution over fixed buckets. */
export class Histogram implements Metric {
  readonly #name: string
  readonly #help: string
  readonly #labels: readonly string[]
  readonly #bounds: readonly number[]
  readonly #series: Series<{ sum: number; count: number; readonly buckets: number[] }>

  constructor(name: string, help: string, labels: readonly string[], bounds: readonly number[]) {
    this.#name = name
    this.#help = help
    this.#labels = labels
    this.#bounds = bounds
    this.#series = new Series(() => ({ sum: 0, count: 0, buckets: bounds.map(() => 0) }))
  }

  observe(value: number, ...labels: string[]): void {
    const series = this.#series.at(labels)
    series.sum += value
    series.count += 1
    const index = this.#bounds.findIndex((bound) => value <= bound)
    if (index >= 0) series.buckets[index] = (series.buckets[index] ?? 0) + 1
  }

  render(): string {
    const names = [...this.#labels, 'le']
    const lines = [...this.#series].flatMap(({ labels, value }) => {
      let below = 0
      const buckets = this.#bounds.map((bound, index) => {
        below += value.buckets[index] ?? 0
        return `${this.#name}_bucket${labelText(names, [...labels, String(bound)])} ${below}`
      })
      const text = labelText(this.#labels, labels)
      return [
        ...buckets,
        `${this.#name}_bucket${labelText(names, [...labels, '+Inf'])} ${value.count}`,
        `${this.#name}_sum${text} ${value.sum}`,
        `${this.#name}_count${text} ${value.count}`,
      ]
    })
    return block(this.#name, this.#help, 'histogram', lines)
  }
}

/** A metric whose values are known at the moment they are asked for. */
export function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  values: Iterable<readonly [LabelValues, number]>,
): string {
  const lines = [...values].map(([each, value]) => `${name}${labelText(labels, each)} ${value}`)
  return block(name, help, 'gauge', lines)
}

function block(name: string, help: string, type: string, lines: readonly string[]): string {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
}

function labelText(names: readonly string[], values: LabelValues): string {
  if (names.length === 0) return ''
  return `{${names.map((name, index) => `${name}="${escaped(values[index] ?? '')}"`).join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
