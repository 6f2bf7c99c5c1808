"""The plot of what a request costs, as SVG: by its rows, both axes logarithmic, and by the number of models."""

from math import ceil, floor, log10

WIDTH, HEIGHT = 380, 280
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 34, 46
COLOURS = ("#0b6e4f", "#b5432a")


def cost_plot(by_rows, by_models):
    """Each argument has series by name: pairs of a place and the microseconds there."""
    panels = (panel("by its rows", "rows a request", by_rows, True),
              panel("by the models", "models registered", by_models, False))
    body = "".join(f'<g transform="translate({i * WIDTH} 0)">{drawn}</g>\n' for i, drawn in enumerate(panels))
    width = 2 * WIDTH
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
            f'font-family="sans-serif" font-size="11" fill="#222">\n<title>Processor time of a request, µs</title>\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n{body}</svg>\n')


def panel(title, axis, series, logarithmic):
    """One plot; a vertical axis that is not logarithmic starts at zero."""
    places = [place for place, _ in next(iter(series.values()))]
    costs = [cost for pairs in series.values() for _, cost in pairs]
    if logarithmic:
        low, high = floor(log10(min(costs))), ceil(log10(max(costs)))
        ticks = [10 ** power for power in range(low, high + 1)]
    else:
        step = 10 ** floor(log10(max(costs)))
        step = next(step * part for part in (0.2, 0.5, 1, 2) if max(costs) * 1.3 / (step * part) <= 8)
        ticks = [step * i for i in range(ceil(max(costs) * 1.3 / step) + 1)]

    def x(place):
        return LEFT + (WIDTH - LEFT - RIGHT) * log10(place / places[0]) / log10(places[-1] / places[0])

    def y(cost):
        part = log10(cost / ticks[0]) / log10(ticks[-1] / ticks[0]) if logarithmic else cost / ticks[-1]
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part

    drawn = [text(LEFT, 18, f"Processor time of a request, µs, {title}", "start")]
    for tick in ticks:
        drawn.append(line([(LEFT, y(tick)), (WIDTH - RIGHT, y(tick))], "#ddd"))
        drawn.append(text(LEFT - 6, y(tick) + 4, f"{tick:,g}", "end"))
    for place in places:
        drawn.append(text(x(place), HEIGHT - BOTTOM + 16, f"{place:,}", "middle"))
    drawn.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, axis, "middle"))
    if logarithmic:
        # A cost in proportion to the rows has this slope.
        place, cost = next(iter(series.values()))[-1]
        first = max(places[0], place * ticks[0] / cost)
        drawn.append(line([(x(first), y(cost * first / place)), (x(place), y(cost))], "#888", ' stroke-dasharray="4 3"'))
    for number, (name, pairs) in enumerate(series.items()):
        colour, height = COLOURS[number], TOP + 14 + 15 * number
        drawn.append(line([(x(place), y(cost)) for place, cost in pairs], colour, ' stroke-width="2"'))
        drawn += [f'<circle cx="{x(place):.1f}" cy="{y(cost):.1f}" r="3" fill="{colour}"/>' for place, cost in pairs]
        drawn.append(text(LEFT + 10, height, name, "start", colour))
    if logarithmic:
        drawn.append(text(LEFT + 10, TOP + 44, "in proportion (dashed)", "start", "#888"))
    return "\n".join(drawn)


def line(points, colour, more=""):
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}"{more}/>'


def text(x, y, content, anchor, colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{content}</text>'
