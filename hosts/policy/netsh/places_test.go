package netsh

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const placed = `ipsec static
add filterlist name=a
add filter filterlist=a srcaddr=me dstaddr=10.0.0.1
add filter filterlist=a srcaddr=me dstaddr=10.0.0.2
add filter filterlist=a srcaddr=me dstaddr=10.0.0.3
delete filter filterlist=a srcaddr=me dstaddr=10.0.0.2
add filter filterlist=a srcaddr=me dstaddr=10.0.0.4
add filteraction name=f action=block
add policy name=p
add rule name=first policy=p filterlist=a filteraction=f
add rule name=second policy=p filterlist=a filteraction=f activate=no
delete rule name=first policy=p
`

// What a script made is at the line that made it, also when lines between took something away.
func TestPlaces(t *testing.T) {
	s := &Store{}
	places := NewPlaces(s)
	r := s.Run(Script{Name: "x.netsh", Text: placed, After: places.Note})
	require.NoError(t, r.Err())
	line := func(l Line, ok bool) int {
		require.True(t, ok)
		require.Equal(t, "x.netsh", l.File)
		return l.Line
	}
	require.Len(t, s.Policy("p").Rules, 1)
	require.Equal(t, 9, line(places.Policy("p")))
	require.Equal(t, 11, line(places.Rule("p", 0)))
	require.Equal(t, 8, line(places.Action("p", 0)))
	require.Equal(t, 2, line(places.ListNamed("A")), "names are compared without regard to case")
	require.Equal(t, 8, line(places.ActionNamed("f")))
	for i, want := range []int{3, 5, 7} {
		require.Equal(t, want, line(places.Filter("p", 0, i)))
	}
	for name, ok := range map[string]bool{
		"policy": second(places.Policy("q")), "rule": second(places.Rule("p", 1)), "filter": second(places.Filter("p", 0, 3)),
		"filter of no rule": second(places.Filter("p", 7, 0)), "action of no rule": second(places.Action("p", 7)), "list": second(places.ListNamed("b")),
		"action": second(places.ActionNamed("g")), "rule of no policy": second(places.Rule("q", 0)),
	} {
		require.False(t, ok, name)
	}
}

func second(_ Line, ok bool) bool { return ok }

// Dynamic rules have no filter lists: all of one is at its line.
func TestPlacesOfDynamicRules(t *testing.T) {
	s := &Store{}
	places := NewPlaces(s)
	r := s.Run(Script{Name: "x.netsh", After: places.Note, Text: `ipsec dynamic
add mmpolicy name=m
add qmpolicy name=q
add rule srcaddr=me dstaddr=10.0.0.1 mmpolicy=m actioninbound=permit actionoutbound=block
add rule srcaddr=me dstaddr=10.0.0.2 mmpolicy=m qmpolicy=q psk=x
`})
	require.NoError(t, r.Err())
	all := s.Dynamic.Policies()
	require.Len(t, all, 1)
	require.Len(t, all[0].Rules, 3)
	for i, want := range []int{4, 4, 5} {
		l, ok := places.Rule("m", i)
		require.True(t, ok)
		require.Equal(t, want, l.Line)
		l, ok = places.Filter("m", i, 0)
		require.True(t, ok)
		require.Equal(t, want, l.Line)
	}
	l, ok := places.Policy("m")
	require.True(t, ok)
	require.Equal(t, 2, l.Line)
}
