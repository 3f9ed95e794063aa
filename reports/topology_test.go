package reports

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

// network makes segments and nodes of a short form: node name to its segments.
func network(segments []string, nodes [][]string) ([]result.Segment, []result.Node) {
	var ss []result.Segment
	for _, s := range segments {
		ss = append(ss, result.Segment{Name: s, MTU: 1500})
	}
	var ns []result.Node
	for _, n := range nodes {
		node := result.Node{Name: n[0], Type: "host"}
		if len(n) > 2 {
			node.Type = "router"
		}
		for i, s := range n[1:] {
			node.Interfaces = append(node.Interfaces, result.Interface{Segment: s, Address: fmt.Sprintf("10.%d.0.1/24", i)})
		}
		ns = append(ns, node)
	}
	return ss, ns
}

func hostsOn(segment string, n int) [][]string {
	var out [][]string
	for i := range n {
		out = append(out, []string{fmt.Sprintf("%s%d", segment, i), segment})
	}
	return out
}

func TestTopologyDrawsEverythingApart(t *testing.T) {
	star := append(append(append(hostsOn("a", 3), hostsOn("b", 2)...), hostsOn("c", 4)...), []string{"gate", "a", "b", "c"})
	for _, c := range []struct {
		name         string
		segments     []string
		nodes        [][]string
		boxes, links int
	}{
		{"two hosts", []string{"lan"}, hostsOn("lan", 2), 2, 2},
		{"a router", []string{"a", "b"}, [][]string{{"x", "a"}, {"y", "b"}, {"gate", "a", "b"}}, 3, 4},
		{"a star", []string{"a", "b", "c"}, star, 10, 12},
		{"a chain", []string{"a", "b", "c"}, [][]string{{"x", "a"}, {"r", "a", "b"}, {"s", "b", "c"}, {"y", "c"}}, 4, 6},
		{"a loop", []string{"a", "b"}, [][]string{{"r", "a", "b"}, {"s", "a", "b"}}, 2, 4},
		{"a triangle", []string{"a", "b", "c"}, [][]string{{"r", "a", "b"}, {"s", "b", "c"}, {"t", "c", "a"}}, 3, 6},
		{"two networks apart", []string{"a", "b"}, append(hostsOn("a", 2), hostsOn("b", 2)...), 4, 4},
		{"an empty segment", []string{"a"}, nil, 0, 0},
		{"as many as fit", []string{"a"}, hostsOn("a", busHosts), busHosts, busHosts},
		{"a crowd", []string{"a"}, hostsOn("a", 500), busHosts, busHosts},
	} {
		t.Run(c.name, func(t *testing.T) {
			ss, ns := network(c.segments, c.nodes)
			d := topology(ss, ns)
			require.Len(t, d.Buses, len(c.segments))
			require.Len(t, d.Boxes, c.boxes)
			require.Len(t, d.Links, c.links)
			type rect struct{ x, y, w, h int }
			var all []rect
			for _, b := range d.Boxes {
				all = append(all, rect{b.X, b.Y, b.W, b.H})
			}
			for _, b := range d.Buses {
				all = append(all, rect{b.X, b.Y, b.W, b.H})
			}
			for i, a := range all {
				require.True(t, a.x >= 0 && a.y >= 0 && a.x+a.w <= d.Width && a.y+a.h <= d.Height, "%v is on the sheet of %d×%d", a, d.Width, d.Height)
				for _, b := range all[:i] {
					apart := a.x+a.w <= b.x || b.x+b.w <= a.x || a.y+a.h <= b.y || b.y+b.h <= a.y
					require.True(t, apart, "%v and %v overlap", a, b)
				}
			}
			require.Equal(t, d, topology(ss, ns), "the same drawing again")
		})
	}
}

func TestTopologyCountsWhatItDoesNotDraw(t *testing.T) {
	ss, ns := network([]string{"a"}, hostsOn("a", 500))
	last := topology(ss, ns).Boxes[busHosts-1]
	require.Equal(t, fmt.Sprintf("… %d more hosts", 500-busHosts+1), last.Name)

	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	ss, ns = network(names, nil)
	d := topology(ss, ns)
	require.Len(t, d.Buses, maxBuses)
	require.Equal(t, 100-maxBuses, d.Omitted)
	require.Contains(t, d.Text, "76 more segments.")
}

// An attacker is drawn as what it is, and has no address to show.
func TestTopologyWithAnAttacker(t *testing.T) {
	ss, ns := network([]string{"lan"}, hostsOn("lan", 1))
	ns = append(ns, result.Node{Name: "mallory", Type: "attacker", Interfaces: []result.Interface{{Segment: "lan"}}})
	d := topology(ss, ns)
	require.Len(t, d.Boxes, 2)
	require.Equal(t, "attacker", d.Boxes[1].Kind)
	require.Equal(t, "Segment lan joins lan0 at 10.0.0.1/24, mallory without an address.", d.Text)
}

// A NAT box says whose behaviour it has.
func TestTopologyNamesNATBoxes(t *testing.T) {
	ss, ns := network([]string{"a", "b"}, [][]string{{"x", "a"}, {"y", "b"}, {"gate", "a", "b"}})
	ns[2].NAT = "home-router"
	for _, b := range topology(ss, ns).Boxes {
		if b.Name == "gate" {
			require.Equal(t, "NAT: home-router", b.Line)
			require.Equal(t, "gate: router NAT: home-router", b.Title)
			return
		}
	}
	t.Fatal("it is not drawn")
}
