package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// nat judges what a NAT box has after a step or at the end, and what it has done since before.
func (j *judgement) nat(field, name string, want *spec.NATExpect, before, after natState) {
	if want.Mappings != nil {
		j.count(field+".mappings", "mappings of "+name, want.Mappings, int64(len(after.mappings)))
	}
	for i := range want.Has {
		w := &want.Has[i]
		ok := slices.ContainsFunc(after.mappings, func(m nat.Mapping) bool { return j.in().fitsMapping(name, w, m, after) })
		var got []string
		for _, m := range after.mappings {
			v := viewOf(m, after.at)
			got = append(got, fmt.Sprintf("%s %s as %s", v.Protocol, v.Inside, v.words()))
		}
		const shown = 20
		if more := len(got) - shown; more > 0 {
			got = append(got[:shown], fmt.Sprintf("and %d more", more))
		}
		j.add(ok, fmt.Sprintf("%s.has[%d]", field, i), "a mapping of "+name, wantedMapping(w), cmp.Or(strings.Join(got, "; "), "no mapping"), "")
	}
	j.counters(field, name, want.NATCounters, before.counters, after.counters)
}

// fitsMapping reports whether a mapping is one that is wanted.
func (l *lab) fitsMapping(box string, w *spec.MappingExpect, m nat.Mapping, at natState) bool {
	inside, err1 := l.spec.Endpoint(box, w.Inside, true)
	outside, err2 := l.spec.Endpoint(box, w.Outside, false)
	if err1 != nil || err2 != nil {
		return false
	}
	depends := m.Remote.Addr().IsValid() && !m.Remote.Addr().IsUnspecified()
	switch w.Remote {
	case "":
	case spec.MappingAny:
		if depends {
			return false
		}
	default:
		remote, err := l.spec.Endpoint(box, w.Remote, false)
		if err != nil || !depends || !remote.Fits(m.Remote) {
			return false
		}
	}
	if w.Bound != nil && *w.Bound != (m.SPIIn != 0) {
		return false
	}
	return (w.Protocol == "" || w.MappingProtocol() == m.Proto) && inside.Fits(m.Inside) && outside.Fits(m.Outside) &&
		(w.Expires == nil || w.Expires.Contains(m.Expires-at.at)) && (w.Sessions == nil || w.Sessions.Contains(int64(m.Sessions)))
}

func wantedMapping(w *spec.MappingExpect) string {
	var all []string
	for _, f := range []struct{ name, value string }{
		{"", w.Protocol}, {"inside ", w.Inside}, {"outside ", w.Outside}, {"remote ", w.Remote},
	} {
		if f.value != "" {
			all = append(all, f.name+f.value)
		}
	}
	if w.Expires != nil {
		all = append(all, "expires in "+w.Expires.String())
	}
	if w.Bound != nil {
		all = append(all, map[bool]string{true: "bound", false: "not bound"}[*w.Bound])
	}
	if w.Sessions != nil {
		all = append(all, w.Sessions.String()+" sessions")
	}
	return strings.Join(all, ", ")
}
