package ike

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// XAuth is extended authentication, draft-beaulieu-ike-xauth-02: after a phase 1 that a
// method of authentication has proved, one side, the edge device, asks the other one for
// the name and the password of a user.
type XAuth struct {
	Asks bool // we are the edge device

	// Of the edge device.
	Users    []User
	Attempts int    // how often it asks under one main mode; 0: 3
	Message  string // for the user, with the question; "": none
	Passcode bool   // it asks for a passcode instead of a password

	// Of the side that is asked: what it answers, once.
	User User
}

// User is somebody who can prove who they are by a password, or passcode.
type User struct{ Name, Password string }

// Admits reports whether the name and the password are those of a user. It takes the same
// time for all that are not.
func (x *XAuth) Admits(name, password []byte) bool {
	found := 0
	n, p := sha256.Sum256(name), sha256.Sum256(password)
	for _, u := range x.Users {
		un, up := sha256.Sum256([]byte(u.Name)), sha256.Sum256([]byte(u.Password))
		found |= subtle.ConstantTimeCompare(n[:], un[:]) & subtle.ConstantTimeCompare(p[:], up[:])
	}
	return found == 1
}

// Tries is how often the edge device asks under one main mode.
func (x *XAuth) Tries() int {
	if x.Attempts == 0 {
		return 3
	}
	return x.Attempts
}

// maxUserText bounds names, passwords and messages, in bytes: RADIUS has 253 (RFC 2865, Section 5).
const maxUserText = 253

// Check reports what is missing or out of range.
func (x *XAuth) Check() error {
	texts := []string{x.Message, x.User.Name, x.User.Password}
	for _, u := range x.Users {
		texts = append(texts, u.Name, u.Password)
	}
	switch {
	case x.Attempts < 0 || x.Attempts > 100:
		return fmt.Errorf("XAUTH with %d attempts, must be 0 to 100", x.Attempts)
	case x.Asks && len(x.Users) == 0:
		return fmt.Errorf("XAUTH that asks for users and knows none")
	case !x.Asks && (x.User.Name == "" || x.User.Password == ""):
		return fmt.Errorf("XAUTH without the user's name and password")
	case slices.ContainsFunc(x.Users, func(u User) bool { return u.Name == "" || u.Password == "" }):
		return fmt.Errorf("XAUTH with a user without a name or password")
	case slices.ContainsFunc(texts, func(s string) bool { return len(s) > maxUserText }):
		return fmt.Errorf("XAUTH with a text of more than %d bytes", maxUserText)
	}
	return nil
}

// Asked is who of a phase 1 is asked for a user afterwards. A method of authentication
// has a number of its own for each case (draft-beaulieu-ike-xauth-02, Section 7.2).
type Asked uint8

// Who is asked.
const (
	AskedNobody Asked = iota
	AskedInitiator
	AskedResponder
)

// asked is who is asked, from the point of view of one side's policy.
func (a Auth) asked(initiator bool) Asked {
	switch {
	case a.XAuth == nil:
		return AskedNobody
	case a.XAuth.Asks != initiator:
		return AskedInitiator
	}
	return AskedResponder
}

// extended are the methods of XAUTH on top of others.
var extended = []struct {
	value  uint16
	method AuthMethod
	asked  Asked
}{
	{payload.AuthXAUTHInitPSK, PreSharedKey, AskedInitiator}, {payload.AuthXAUTHRespPSK, PreSharedKey, AskedResponder},
	{payload.AuthXAUTHInitDSS, DSSSignature, AskedInitiator}, {payload.AuthXAUTHRespDSS, DSSSignature, AskedResponder},
	{payload.AuthXAUTHInitRSA, RSASignature, AskedInitiator}, {payload.AuthXAUTHRespRSA, RSASignature, AskedResponder},
	{payload.AuthXAUTHInitRSAEnc, RSAEncryption, AskedInitiator}, {payload.AuthXAUTHRespRSAEnc, RSAEncryption, AskedResponder},
	{payload.AuthXAUTHInitRevised, RevisedRSAEncryption, AskedInitiator}, {payload.AuthXAUTHRespRevised, RevisedRSAEncryption, AskedResponder},
}

// authValue is the value of the Authentication Method attribute.
func authValue(m AuthMethod, asked Asked) uint16 {
	for _, e := range extended {
		if e.method == m && e.asked == asked {
			return e.value
		}
	}
	return uint16(m)
}

// readAuth is what such a value stands for. Microsoft took some of the numbers of XAUTH for
// methods of its own: only from who says that it speaks XAUTH they are those of XAUTH.
func readAuth(v uint16, xauth bool) (AuthMethod, Asked) {
	for _, e := range extended {
		if xauth && e.value == v {
			return e.method, e.asked
		}
	}
	return AuthMethod(v), AskedNobody
}

// saysXAUTH reports whether the vendor ID of XAUTH is among those of a peer.
func saysXAUTH(vendors []payload.VendorID) bool { return says(vendors, payload.VendorXAUTH) }

// says reports whether there is the vendor ID of a name.
func says(vendors []payload.VendorID, name string) bool {
	return slices.ContainsFunc(vendors, func(v payload.VendorID) bool {
		n, _ := v.Vendor()
		return n == name
	})
}

// XAUTHVendorID says that its sender speaks XAUTH, draft-beaulieu-ike-xauth-02.
var XAUTHVendorID = []byte{0x09, 0x00, 0x26, 0x89, 0xdf, 0xd6, 0xb7, 0x12}

// XAUTH reports whether a method of the policy has extended authentication.
func (m MainMode) XAUTH() bool {
	return slices.ContainsFunc(m.Auth, func(a Auth) bool { return a.XAuth != nil })
}

// Of is the policy's way of authentication that was chosen, at the given side.
func (m MainMode) Of(c MainModeChoice, initiator bool) (Auth, bool) {
	for _, a := range m.Auth {
		if a.Method == c.Method && a.asked(initiator) == c.Asked {
			return a, true
		}
	}
	return Auth{}, false
}

// First is the first thing that the policy offers, which is what aggressive mode goes by.
func (m MainMode) First() MainModeChoice { return m.transforms(true)[0] }
