package sim

import (
	"crypto/sha256"
	"fmt"
)

// macAddr is an IEEE 802 MAC address.
type macAddr = [6]byte

var broadcast = macAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// group reports whether the address is a multicast or broadcast address. IEEE 802-2014, Section 8.2.2.
func group(a macAddr) bool { return a[0]&1 != 0 }

// MACFor is the address of a node's port on a segment unless its PortConfig says
// otherwise: the start of SHA-256 over both names with a zero byte between, made
// an individual, locally administered address (IEEE 802-2014, Section 8.2.2). Two
// names may collide, which Attach refuses.
func MACFor(node, segment string) [6]byte {
	sum := sha256.Sum256([]byte(node + "\x00" + segment))
	mac := macAddr(sum[:6])
	mac[0] = mac[0]&^1 | 2
	return mac
}

func macString(a macAddr) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5])
}
