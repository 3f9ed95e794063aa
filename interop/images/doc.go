// Package images builds the root filesystems that real peers run in, from
// Debian packages that a lock file pins by SHA-256.
//
// A [Profile] says which packages make an image and why. The lock file,
// images.lock, has for each image every package of the dependency closure. A
// [Builder] fetches the packages, checks them and unpacks them into a folder of
// the cache; neither root nor dpkg nor a registry is needed, and no script of a
// package runs. A [Store] says where a built image lies, and imports it into
// Docker where that is wanted.
//
// An image is named by what it is made of: the folder and the Docker tag end in
// a hash over its part of the lock and over the recipe. A folder under that name
// is complete: it gets its name when all is in it.
//
// Left out: configuration of packages (postinst), so that there are neither
// alternatives nor users but those of the profile; ownership, set-user-ID bits and
// device nodes; architectures other than amd64, the only one that both
// user-mode Linux and all the daemons exist for.
package images
