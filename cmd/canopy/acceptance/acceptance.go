// Package acceptance holds no code but tests: a federation of real servers
// (Apache, nginx, rclone, XRootD), used by the real clients that people and
// grid jobs have. Whatever else is tested elsewhere, these are the promises.
package acceptance
