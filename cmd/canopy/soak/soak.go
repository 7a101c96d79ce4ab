// Package soak holds a whole federation under load while what it stands on
// dies and comes back: real servers are killed and started again, Redis too,
// and the configuration is replaced over and over.
//
// The claim is that clients notice nothing as long as each file has a live
// replica. Their side of the bargain is that of any grid client: whoever is
// sent to a replica that has just died takes the next one that the redirect
// names, and asks again, once, if all of them have.
//
// A short form is an ordinary test; `make soak` (build tag soak) goes on for
// longer than a test should.
package soak
