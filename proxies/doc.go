// Package proxies tests the SDK behind real proxies: nginx, HAProxy and toxiproxy. It has no code of
// its own. Its tests need nginx and haproxy, which .ci/proxies installs.
package proxies
