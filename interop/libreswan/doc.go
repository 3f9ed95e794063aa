// Package libreswan writes a neutral configuration of a peer
// ([github.com/ipseclab/ipseclab/interop/peerconf]) in the words of libreswan, and reads what its whack says.
//
//	files, err := libreswan.Build(config)
//	// files.Contents below /, then files.Prepare() in a shell, then libreswan.Start
//
// Debian's libreswan 4.10 has no DES and neither of the groups of 768 and 1024 bits, as pluto says when asked.
package libreswan
