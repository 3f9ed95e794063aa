package scenarios

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// NATView is the NAT of a box at a moment.
type NATView struct {
	Box      string        `json:"box"`
	Outside  []string      `json:"outside"`            // the addresses that what is inside shares
	Settings []Line        `json:"settings,omitempty"` // in which it differs from the box of that name
	Mappings []MappingView `json:"mappings"`
	Counters []Statistic   `json:"counters"`
}

// MappingView is a mapping of a NAT box.
type MappingView struct {
	Protocol string        `json:"protocol"`
	Inside   string        `json:"inside"`
	Outside  string        `json:"outside"`
	Remote   string        `json:"remote,omitempty"` // the only one that it is for
	SPIOut   string        `json:"spi_out,omitempty"`
	SPIIn    string        `json:"spi_in,omitempty"`
	Cookie   string        `json:"cookie,omitempty"`
	Age      time.Duration `json:"age_ns"`
	Expires  time.Duration `json:"expires_in_ns,omitempty"` // if nothing uses it; 0: not by time
	Sessions int           `json:"sessions,omitempty"`      // remote endpoints that are known one by one
}

// natView looks at the NAT of a node; nil: it has none.
func (l *lab) natView(name string) *NATView {
	if l.tables[name] == nil {
		return nil
	}
	n := l.spec.Nodes[name].NAT
	v := &NATView{Box: n.Box, Mappings: []MappingView{}}
	for _, a := range l.pools[name] {
		v.Outside = append(v.Outside, a.String())
	}
	n.Differs(func(key string, value any) { v.Settings = append(v.Settings, Line{key, fmt.Sprint(value)}) })
	state := l.natState(name)
	for _, m := range state.mappings {
		v.Mappings = append(v.Mappings, viewOf(m, state.at))
	}
	counters := reflect.ValueOf(state.counters)
	for i, t := 0, reflect.TypeFor[spec.NATCounters](); i < t.NumField(); i++ {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		v.Counters = append(v.Counters, Statistic{strings.ToUpper(key[:1]) + key[1:], counters.FieldByName(t.Field(i).Name).Uint()})
	}
	return v
}

func viewOf(m nat.Mapping, now time.Duration) MappingView {
	t := traced(m)
	v := MappingView{
		Protocol: t.Protocol, Inside: t.Inside, Outside: t.Outside, Remote: t.Remote, SPIOut: t.SPIOut, SPIIn: t.SPIIn, Cookie: t.Cookie,
		Age: now - m.Made, Sessions: m.Sessions,
	}
	if m.Expires > 0 {
		v.Expires = m.Expires - now
	}
	return v
}

func (t *labelled) nat(v *NATView) {
	t.title("NAT")
	t.line("Box", v.Box)
	t.line("Outside", strings.Join(v.Outside, ", "))
	for _, l := range v.Settings {
		t.line(l.Name, l.Value)
	}
	t.title("NAT Mappings")
	for _, m := range v.Mappings {
		t.line(fmt.Sprintf("%s %s", m.Protocol, m.Inside), m.words())
	}
	t.title("NAT Statistics")
	for _, s := range v.Counters {
		t.line(s.Label, s.Value)
	}
}

// words are what a mapping makes of the endpoint inside.
func (m MappingView) words() string {
	text := m.Outside
	if m.Remote != "" {
		text += " for " + m.Remote
	}
	for _, f := range []struct{ name, value string }{{"SPI out", m.SPIOut}, {"SPI in", m.SPIIn}, {"cookie", m.Cookie}} {
		if f.value != "" {
			text += fmt.Sprintf(", %s %s", f.name, f.value)
		}
	}
	if m.Expires > 0 {
		text += fmt.Sprintf(", %s left", spec.Duration(m.Expires))
	}
	return text
}
