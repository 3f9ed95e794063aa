package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// Parts are what Only can be asked for.
func Parts() []string {
	return []string{"mmsas", "qmsas", "mmfilters", "qmfilters", "filters", "policy", "rules", "config", "stats", "discovery", "firewall", "nat", "observers", "all"}
}

// Only leaves of a snapshot the parts of that name, one of Parts, and of filters those
// of a kind: generic or specific; "" is both.
func (v Snapshot) Only(part, kind string) (*Snapshot, error) {
	keep := map[string]bool{part: true}
	switch part {
	case "all":
		for _, p := range Parts() {
			keep[p] = true
		}
	case "filters":
		keep["mmfilters"], keep["qmfilters"] = true, true
	default:
		if !slices.Contains(Parts(), part) {
			return nil, fmt.Errorf("scenarios: show: there is no %q%s; it may be %s", part, spec.Suggest(part, Parts()), strings.Join(Parts(), ", "))
		}
	}
	if kind != "" && !keep["mmfilters"] && !keep["qmfilters"] {
		return nil, fmt.Errorf("scenarios: show: only filters are generic or specific, not %s", part)
	}
	if !keep["policy"] {
		v.Policy = nil
	}
	if !keep["rules"] {
		v.Rules = nil
	}
	if !keep["config"] {
		v.Config = nil
	}
	if !keep["mmsas"] {
		v.MainModes = nil
	}
	if !keep["qmsas"] {
		v.QuickModes = nil
	}
	if !keep["discovery"] {
		v.Discovery = nil
	}
	if !keep["stats"] {
		v.Statistics = nil
	}
	if !keep["firewall"] {
		v.Firewall = nil
	}
	if !keep["nat"] {
		v.NAT = nil
	}
	if !keep["observers"] {
		v.Observers = nil
	}
	v.MMFilters, v.QMFilters = v.MMFilters.only(keep["mmfilters"], kind), v.QMFilters.only(keep["qmfilters"], kind)
	return &v, nil
}

func (f *Filters) only(keep bool, kind string) *Filters {
	if !keep || f == nil {
		return nil
	}
	of := *f
	switch kind {
	case "generic":
		of.Specific = nil
	case "specific":
		of.Generic = nil
	}
	return &of
}
