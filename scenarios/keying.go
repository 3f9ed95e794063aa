package scenarios

import (
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/scenarios/spec"
)

// fragmentationOf is how a host sends IKE messages in fragments.
func fragmentationOf(s spec.IPsec) ike.Fragmentation {
	f := s.Fragments()
	forms := map[string]ike.FragmentForm{spec.FragmentsWindows: ike.WindowsFragments, spec.FragmentsCisco: ike.CiscoFragments}
	return ike.Fragmentation{Form: forms[f.Form], Size: f.Size, Headerless: f.WithoutHeader}
}

// dpdOf is how a host detects dead peers.
func dpdOf(s spec.IPsec) ike.DPD {
	if s.DPD == nil {
		return ike.DPD{}
	}
	return ike.DPD{Enabled: true, Idle: s.DPD.Idle.Span(), Retry: s.DPD.Retry.Span(), Tries: s.DPD.Tries}
}
