package scenarios

import (
	"github.com/ipseclab/ipseclab/natbox"
	"github.com/ipseclab/ipseclab/natbox/nat"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// natOf is the NAT of a node; nil when it has none.
func (l *lab) natOf(name string, n spec.Node) (*natbox.NAT, error) {
	if n.NAT == nil {
		return nil, nil
	}
	c, err := l.spec.NATConfig(name)
	if err != nil {
		return nil, l.spec.Errorf("$.nodes."+name+".nat", "%v", err)
	}
	table, err := nat.New(c, l.world.Rand(name, "nat"))
	if err != nil {
		return nil, l.spec.Errorf("$.nodes."+name+".nat", "%v", err)
	}
	l.tables[name] = table
	return &natbox.NAT{Outside: l.segments[n.NAT.Outside], Table: table, Silent: c.ICMP.Silent, Crossed: l.crossingOf(n)}, nil
}
