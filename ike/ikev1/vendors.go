package ikev1

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// vendors are the vendor IDs that a peer has sent in phase 1 (RFC 2408, Section
// 3.16): which extensions it has, and what numbers of its own mean. Those of
// messages 1 to 4 are not authenticated.
type vendors []payload.VendorID

// Bounds of what is remembered of a peer; what is beyond them is as if it had not been sent.
const (
	maxVendors      = 32
	maxVendorLength = 64
)

// learn adds those of a message that is what was awaited.
func (v *vendors) learn(m *message) {
	for _, id := range payload.All[payload.VendorID](m.chain) {
		again := slices.ContainsFunc(*v, func(o payload.VendorID) bool { return bytes.Equal(o.Data, id.Data) })
		if !again && len(*v) < maxVendors && len(id.Data) <= maxVendorLength {
			*v = append(*v, payload.VendorID{Data: bytes.Clone(id.Data)})
		}
	}
}

// find is what stands behind the first ID of the vendor, a version or capabilities.
func (v vendors) find(vendor string) (rest []byte, ok bool) {
	for _, id := range v {
		if is, rest := id.Vendor(); is == vendor {
			return rest, true
		}
	}
	return nil, false
}

// peerHas reports whether the peer has sent the vendor's ID.
func (sa *SA) peerHas(vendor string) bool {
	_, ok := sa.vendors.find(vendor)
	return ok
}

// microsoftVersion is the number behind the peer's MS NT5 ISAKMPOAKLEY, which
// tells versions of Windows apart (MS-IKEE, product note 6); false: the peer sent none.
func (sa *SA) microsoftVersion() (uint32, bool) {
	rest, ok := sa.vendors.find(payload.VendorMicrosoft)
	if !ok || len(rest) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(rest), true
}
