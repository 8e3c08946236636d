//! The real binary, from outside: started, asked, signalled and killed as an operator would.

#[cfg(test)]
mod clock;
#[cfg(test)]
mod config;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kill9;
#[cfg(test)]
mod late_store;
#[cfg(test)]
mod link;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod lost_wakeups;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod transfer;
