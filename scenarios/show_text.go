package scenarios

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// String prints the parts that there are, as "Label : value". The labels are those of
// the IP Security Monitor and of netsh as far as they are known; the layout is the lab's
// own, since that of netsh is not published.
func (v *Snapshot) String() string {
	t := &labelled{}
	t.title(fmt.Sprintf("IPsec of %s in %s (layout of ipseclab's own)", v.Host, v.Scenario))
	t.line("Virtual Time", v.At)
	t.line("Date", v.Time.Format(time.RFC3339Nano))
	if v.Off {
		t.line("State", "off")
	}
	if v.Policy != nil {
		t.policy(v.Policy)
	}
	if v.Rules != nil {
		t.rules(v.Rules)
	}
	if v.Config != nil {
		t.title("Configuration")
		for _, l := range v.Config {
			t.line(l.Name, l.Value)
		}
	}
	t.filters("Main Mode", v.MMFilters)
	t.filters("Quick Mode", v.QMFilters)
	if v.MainModes != nil {
		t.mainModes(*v.MainModes)
	}
	if v.QuickModes != nil {
		t.quickModes(v.QuickModes)
	}
	if s := v.Statistics; s != nil {
		for _, list := range []struct {
			title string
			list  []Statistic
		}{{"IKE Statistics", s.IKE}, {"IPsec Statistics", s.Driver}, {"Statistics Of The Lab", s.Lab}} {
			t.title(list.title)
			for _, s := range list.list {
				t.line(s.Label, s.Value)
			}
		}
	}
	if v.Discovery != nil {
		t.title("Discovery Of The NAT Box")
		for _, l := range v.Discovery {
			t.line(l.Name, l.Value)
		}
	}
	if v.Firewall != nil {
		t.firewall(v.Firewall)
	}
	if v.NAT != nil {
		t.nat(v.NAT)
	}
	t.observers(v.Observers)
	return t.String()
}

// labelled is a text of lines with labels.
type labelled struct{ strings.Builder }

func (t *labelled) title(s string) {
	if t.Len() > 0 {
		t.WriteByte('\n')
	}
	t.WriteString(s + "\n" + strings.Repeat("-", len([]rune(s))) + "\n")
}

const labelWidth = 36

func (t *labelled) line(label string, value any) {
	if d, ok := value.(time.Duration); ok {
		value = spec.Duration(d) // 8h, as scenario files write it
	}
	fmt.Fprintf(t, "%-*s : %v\n", labelWidth, label, value)
}

// some prints a line unless its value is empty.
func (t *labelled) some(label, value string) {
	if value != "" {
		t.line(label, value)
	}
}

// between separates the entries of a list.
func (t *labelled) between(i int) {
	if i > 0 {
		t.WriteByte('\n')
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (t *labelled) policy(p *PolicyInForce) {
	t.title("Policy In Force")
	t.line("Policy Agent", p.Agent)
	t.line("Policy Name", cmp.Or(p.Name, "none"))
	t.line("Source", p.Source)
	t.some("Persistent Policy", p.Persistent)
	t.some("Written In", p.Written)
	if p.Name == "" {
		return
	}
	t.some("Description", p.Description)
	t.line("Assigned At", p.Since)
	t.line("Polling Interval", p.Polling)
	t.line("Main Mode Security Methods", strings.Join(p.MainMode.Methods, ", "))
	t.line("Main Mode Lifetime", p.MainMode.Lifetime)
	limit := "unlimited"
	if n := p.MainMode.QuickModes; n > 0 {
		limit = fmt.Sprint(n)
	}
	t.line("Quick Modes Per Main Mode", limit)
	t.line("Master PFS", yes(p.MainMode.MasterPFS))
	t.line("Active Rules", strings.Join(p.RuleNames, ", "))
}

func (t *labelled) rules(rules []Rule) {
	t.title("Rules")
	for i, r := range rules {
		t.between(i)
		t.line("Rule Name", r.Name)
		t.line("Policy", r.Policy)
		t.line("Activated", yes(r.Active))
		t.line("Filter List", r.FilterList)
		t.some("Filter Action", r.FilterAction)
		t.line("Action", r.Action)
		t.some("Security Methods", strings.Join(r.Methods, ", "))
		if r.Methods != nil {
			t.line("Quick Mode PFS", yes(r.PFS))
			t.line("Accept Unsecured (inpass)", yes(r.InPass))
			t.line("Allow Unsecured (soft)", yes(r.Soft))
		}
		t.some("Authentication Methods", strings.Join(r.Auth, ", "))
		t.line("Tunnel Endpoint", cmp.Or(r.Tunnel, "none"))
		t.line("Connection Type", r.Connections)
	}
}

func (t *labelled) filters(mode string, f *Filters) {
	if f == nil {
		return
	}
	t.list(mode+" Filters, Generic", f.Generic)
	t.list(mode+" Filters, Specific, In Search Order", f.Specific)
}

func (t *labelled) list(title string, filters []Filter) {
	if filters == nil {
		return
	}
	t.title(title)
	port := func(n uint16) string {
		if n == 0 {
			return "any"
		}
		return fmt.Sprint(n)
	}
	for i, f := range filters {
		t.between(i)
		t.line("Rule", f.Rule)
		t.some("Direction", f.Direction)
		if f.Weight > 0 || f.Direction != "" {
			t.line("Weight", f.Weight)
		}
		t.line("Source Address", f.Source)
		t.line("Destination Address", f.Destination)
		t.some("Protocol", f.Protocol)
		if f.SourcePort != 0 || f.DestinationPort != 0 {
			t.line("Source Port", port(f.SourcePort))
			t.line("Destination Port", port(f.DestinationPort))
		}
		t.some("ICMP Types", f.ICMPTypes)
		if f.From == "" && f.Weight == 0 {
			t.line("Mirrored", yes(f.Mirrored))
		}
		t.some("Action", f.Action)
		t.some("Authentication Methods", strings.Join(f.Auth, ", "))
		t.some("Tunnel Endpoint", f.Tunnel)
		t.some("From", f.From)
		t.some("Unused", f.Unused)
	}
}

func (t *labelled) mainModes(sas []MainModeSA) {
	t.title("Main Mode SAs")
	if len(sas) == 0 {
		t.WriteString("There are none.\n")
	}
	for i, m := range sas {
		t.between(i)
		t.line("Me", m.Local)
		t.line("Peer", m.Peer)
		t.some("Peer Identity", m.PeerID)
		t.line("Cookie Pair", m.InitiatorCookie+":"+m.ResponderCookie)
		t.line("Role", m.Role)
		t.line("State", m.State)
		t.some("Security Method", m.Method)
		t.some("Authentication Method", m.Authentication)
		if m.State == "established" {
			t.line("Age", m.Age)
			t.line("Expires In", m.Expires)
		}
		t.some("User", m.User)
		t.some("Inner Address", m.InnerAddress)
		t.some("Inner Address Of", m.InnerAddressOf)
		t.line("Quick Modes Begun", m.QuickModesBegun)
	}
}

func (t *labelled) quickModes(q *QuickModeSAs) {
	t.title("Quick Mode SAs")
	if len(q.Pairs) == 0 {
		t.WriteString("There are none.\n")
	}
	for i, s := range q.Pairs {
		t.between(i)
		t.line("Me", s.Local)
		t.line("Peer", s.Peer)
		t.line("Protocol", s.Protocol)
		if s.PeerPort != 0 {
			t.line("Encapsulation", fmt.Sprintf("%s in UDP, ports %d here and %d there", s.Mode, s.LocalPort, s.PeerPort))
		} else {
			t.line("Encapsulation", s.Mode)
		}
		t.some("Inbound SPI", s.InboundSPI)
		t.some("Outbound SPI", s.OutboundSPI)
		t.some("Around Inbound SPI", s.Around)
		t.line("Filter", s.Filter)
		t.line("Rule", s.Rule)
		t.some("Inbound Rule", s.InboundRule)
		t.line("Offer Used", s.Transform)
		t.line("Role", s.Role)
		t.line("Age", s.Age)
		if s.Expires > 0 {
			t.line("Expires In", s.Expires)
		}
		if s.Kilobytes != nil {
			t.line("Kilobytes Left", *s.Kilobytes)
		}
		t.line("Sent", fmt.Sprintf("packets %d, bytes %d", s.Sent.Packets, s.Sent.Bytes))
		t.line("Received", fmt.Sprintf("packets %d, bytes %d", s.Received.Packets, s.Received.Bytes))
		if s.Replaced {
			t.line("Replaced", "yes")
		}
	}
	t.title("Soft Associations")
	if len(q.Soft) == 0 {
		t.WriteString("There are none.\n")
	}
	for i, s := range q.Soft {
		t.between(i)
		t.line("Me", s.Local)
		t.line("Peer", s.Peer)
		t.line("Age", s.Age)
		t.line("Expires In", s.Expires)
		t.line("Packets", s.Packets)
	}
}
