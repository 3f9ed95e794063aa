package reports

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/internal/result"
)

// Sizes of a topology drawing, in SVG user units.
const (
	boxWidth, boxHeight = 196, 58
	slotWidth           = 212
	linkHeight          = 44
	busHeight           = 28
	busGap              = 36 // between buses side by side
	letter              = 7  // about the width of one
	busHosts            = 8  // hosts drawn on one segment; the others are counted
	maxBuses            = 24
)

// drawing is a network drawn as engineers draw Ethernet: segments are horizontal
// buses, hosts hang on them, and what joins two segments stands between them.
type drawing struct {
	Width, Height int
	Buses         []bus
	Boxes         []box
	Links         []link
	Omitted       int // segments that are not drawn
	Text          string
}

type bus struct {
	X, Y, W, H  int
	Name, Label string
}

type box struct {
	X, Y, W, H        int
	Kind              string // host, router, attacker, peer, more
	Name, Line, Title string
}

// link is a line with the interface's address beside its last part.
type link struct {
	Points         string // of an SVG polyline
	LabelX, LabelY int
	Label          string
}

// topology lays a network out. The same network gives the same drawing.
func topology(segments []result.Segment, nodes []result.Node) drawing {
	t := &layout{nodes: nodes, placed: make([]bool, len(nodes)), seen: map[string]*place{}}
	t.segments = segments
	if len(segments) > maxBuses {
		t.Omitted = len(segments) - maxBuses
		t.segments = segments[:maxBuses]
	}
	x := 0
	for _, s := range t.segments {
		if t.seen[s.Name] == nil {
			p := t.grow(s, 0)
			x += t.put(p, x) + busGap
		}
	}
	for _, p := range t.late {
		t.extra(p)
	}
	t.Width = max(x-busGap, slotWidth)
	t.Text = describe(segments, nodes)
	return t.drawing
}

// layout is a drawing being made.
type layout struct {
	drawing
	segments []result.Segment
	nodes    []result.Node
	placed   []bool
	seen     map[string]*place
	late     []lateLink
}

// place is a segment in the tree that a walk over the network finds.
type place struct {
	result.Segment
	level  int
	hosts  []int // on this segment alone
	joints []joint
	x, y   int
	width  int
}

// joint is a node on several segments, with those found through it.
type joint struct {
	node     int
	children []*place
	width    int
}

// lateLink is an attachment that closes a loop.
type lateLink struct {
	node    int
	segment string
	x, y    int
}

// grow walks the network from a segment and sizes what it finds.
func (t *layout) grow(s result.Segment, level int) *place {
	p := &place{Segment: s, level: level}
	t.seen[s.Name] = p
	for n := range t.nodes {
		if t.placed[n] || !on(t.nodes[n], s.Name) {
			continue
		}
		t.placed[n] = true
		others := t.others(t.nodes[n], s.Name)
		if others == nil {
			p.hosts = append(p.hosts, n)
			continue
		}
		j := joint{node: n}
		for _, o := range others {
			if t.seen[o.Name] == nil {
				c := t.grow(o, level+1)
				j.children = append(j.children, c)
				j.width += c.width + busGap
			}
		}
		j.width = max(j.width-busGap, slotWidth)
		p.joints = append(p.joints, j)
	}
	below := 0
	for _, j := range p.joints {
		below += j.width
	}
	above := len(p.shown()) * slotWidth
	if level > 0 {
		above, below = 0, above+below
	}
	p.width = max(above, below, letter*len([]rune(busLabel(s)))+40, slotWidth)
	return p
}

// on reports whether a node has an interface on the segment.
func on(n result.Node, segment string) bool {
	for _, i := range n.Interfaces {
		if i.Segment == segment {
			return true
		}
	}
	return false
}

// others are the drawn segments of a node beside the named one, each once.
func (t *layout) others(n result.Node, segment string) []result.Segment {
	var out []result.Segment
	for _, s := range t.segments {
		if s.Name != segment && on(n, s.Name) {
			out = append(out, s)
		}
	}
	return out
}

// shown are the hosts that are drawn; -1 stands for all others.
func (p *place) shown() []int {
	if len(p.hosts) <= busHosts {
		return p.hosts
	}
	return append(append([]int{}, p.hosts[:busHosts-1]...), -1)
}

// put draws a segment and all below it from x on and returns the width used.
func (t *layout) put(p *place, x int) int {
	const band = 2*linkHeight + boxHeight + busHeight
	p.x, p.y = x, boxHeight+linkHeight+p.level*band
	t.Buses = append(t.Buses, bus{p.x, p.y, p.width, busHeight, p.Name, busLabel(p.Segment)})
	t.Height = max(t.Height, p.y+busHeight)

	shown := p.shown()
	rowY := p.y + busHeight + linkHeight
	next := x
	if p.level == 0 {
		free := (p.width - len(shown)*slotWidth) / 2
		for i, n := range shown {
			t.hang(p, n, x+free+i*slotWidth, 0, true)
		}
		next += (p.width - jointsWidth(p)) / 2
	} else {
		next += (p.width - jointsWidth(p) - len(shown)*slotWidth) / 2
		for _, n := range shown {
			t.hang(p, n, next, rowY, false)
			next += slotWidth
		}
	}
	for _, j := range p.joints {
		t.joint(p, j, next, rowY)
		next += j.width
	}
	return p.width
}

func jointsWidth(p *place) int {
	w := 0
	for _, j := range p.joints {
		w += j.width
	}
	return w
}

// hang draws a host above or below its bus.
func (t *layout) hang(p *place, n, x, y int, above bool) {
	b := box{X: x + (slotWidth-boxWidth)/2, Y: y, W: boxWidth, H: boxHeight}
	if n < 0 {
		more := len(p.hosts) - busHosts + 1
		b.Kind, b.Name, b.Line = "more", fmt.Sprintf("… %d more hosts", more), "see the table of nodes"
		b.Title = b.Name
		t.Boxes = append(t.Boxes, b)
	} else {
		t.box(n, b)
	}
	cx := x + slotWidth/2
	l := link{Points: fmt.Sprintf("%d,%d %d,%d", cx, p.y+busHeight, cx, y), LabelX: cx + 6, LabelY: y - linkHeight/2 + 4}
	if above {
		l.Points = fmt.Sprintf("%d,%d %d,%d", cx, y+boxHeight, cx, p.y)
		l.LabelY = y + boxHeight + linkHeight/2 + 4
	}
	if n >= 0 {
		l.Label = address(t.nodes[n], p.Name)
	}
	t.Links = append(t.Links, l)
	t.Height = max(t.Height, y+boxHeight)
}

// joint draws a node between its upper bus and the buses below it.
func (t *layout) joint(p *place, j joint, x, y int) {
	n := t.nodes[j.node]
	cx := x + j.width/2
	t.box(j.node, box{X: cx - boxWidth/2, Y: y, W: boxWidth, H: boxHeight})
	t.Links = append(t.Links, link{
		Points: fmt.Sprintf("%d,%d %d,%d", cx, p.y+busHeight, cx, y),
		LabelX: cx + 6, LabelY: y - linkHeight/2 + 4, Label: address(n, p.Name),
	})
	t.Height = max(t.Height, y+boxHeight)
	for _, c := range j.children {
		t.put(c, x)
		to := cx
		if len(j.children) > 1 {
			to = x + c.width/2
		}
		middle := y + boxHeight + 8
		t.Links = append(t.Links, link{
			Points: fmt.Sprintf("%d,%d %d,%d %d,%d %d,%d", cx, y+boxHeight, cx, middle, to, middle, to, c.y),
			LabelX: to + 6, LabelY: y + boxHeight + linkHeight/2 + 8, Label: address(n, c.Name),
		})
		x += c.width + busGap
	}
	for _, o := range t.others(n, p.Name) {
		if !child(j, o.Name) {
			t.late = append(t.late, lateLink{j.node, o.Name, cx, y})
		}
	}
}

func child(j joint, segment string) bool {
	for _, c := range j.children {
		if c.Name == segment {
			return true
		}
	}
	return false
}

// extra draws an attachment that closes a loop: from the node's side straight to the bus.
func (t *layout) extra(l lateLink) {
	p := t.seen[l.segment]
	x := l.x + boxWidth/2
	end := min(max(x+12, p.x), p.x+p.width)
	t.Links = append(t.Links, link{
		Points: fmt.Sprintf("%d,%d %d,%d %d,%d", x, l.y+boxHeight/2, x+12, l.y+boxHeight/2, end, p.y+busHeight/2),
		LabelX: x + 16, LabelY: l.y + boxHeight/2 - 4, Label: address(t.nodes[l.node], l.segment),
	})
}

func (t *layout) box(n int, b box) {
	node := t.nodes[n]
	b.Kind, b.Name = "host", short(node.Name, boxWidth/letter-3)
	if node.Type == "router" || node.Type == "attacker" {
		b.Kind, b.Line = node.Type, node.Type
		if node.NAT != "" {
			b.Line = "NAT: " + node.NAT
		}
	} else if node.Type == "peer" {
		b.Kind, b.Line = node.Type, "real peer"
		if node.Policy != "" {
			b.Line = "policy " + node.Policy
		}
	} else if node.Policy != "" {
		b.Line = "policy " + node.Policy
	} else {
		b.Line = "no policy at the start"
	}
	b.Title = node.Name + ": " + protection(node.Type, node.OS, b.Line)
	if len(b.Line) > boxWidth/letter+1 {
		b.Line = strings.TrimPrefix(b.Line, "policy ") // its name says more
	}
	b.Line = short(b.Line, boxWidth/letter+1)
	t.Boxes = append(t.Boxes, b)
}

// address is what a node has on the segment: the first, and how many there are beside it.
func address(n result.Node, segment string) string {
	for _, i := range n.Interfaces {
		switch {
		case i.Segment != segment:
		case len(i.Also) == 0:
			return i.Address
		default:
			return fmt.Sprintf("%s and %d more", i.Address, len(i.Also))
		}
	}
	return ""
}

// bare is an address without its prefix length.
func bare(address string) string {
	a, _, _ := strings.Cut(address, "/")
	return a
}

func busLabel(s result.Segment) string {
	parts := []string{s.Name, s.Kind, s.Subnet, fmt.Sprintf("MTU %d", s.MTU), span(s.Latency)}
	if s.Loss > 0 {
		parts = append(parts, fmt.Sprintf("loss %g %%", 100*s.Loss))
	}
	return short(strings.Join(nonEmpty(parts), " · "), 80)
}

// describe is the drawing in words, for those who cannot see it.
func describe(segments []result.Segment, nodes []result.Node) string {
	var out []string
	for _, s := range segments[:min(len(segments), maxBuses)] {
		var members []string
		for _, n := range nodes {
			if a := address(n, s.Name); a != "" {
				members = append(members, n.Name+" at "+a)
			} else if on(n, s.Name) {
				members = append(members, n.Name+" without an address")
			}
		}
		if len(members) > busHosts {
			members = append(members[:busHosts], fmt.Sprintf("and %d more", len(members)-busHosts))
		}
		out = append(out, fmt.Sprintf("Segment %s joins %s.", s.Name, strings.Join(members, ", ")))
	}
	if more := len(segments) - maxBuses; more > 0 {
		out = append(out, plural(more, "more segment")+".")
	}
	return strings.Join(out, " ")
}
